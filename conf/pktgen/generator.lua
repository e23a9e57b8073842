-- What the scripts beside this file have in common: they load it themselves, it is not to be run.
--
-- Pktgen-DPDK 23.03 or 23.06, built with Lua. Of pktgen's ways of making packets only the ranges are used: they
-- make many flows. What to know of them:
--
-- * Frames are made when a port starts, as many as its pool has (24576 a transmit queue), and sent over and over. So
--   no more than that many flows are on the wire at a time; after a stop and a start the ranges go on where they were.
-- * Ports and addresses all step by one with each frame. There are as many flows as the least common multiple of
--   their numbers, which is why flows are split into two numbers that share no factor.

local generator = {}

generator.frames_per_queue = 24576

local out -- the file of results

-- A line for people and for the file of results.
function generator.print(format, ...)
  local line = string.format(format, ...)
  io.write(line, "\r\n")
  io.flush()
  if out then
    out:write(line, "\n")
    out:flush()
  end
end

-- Runs `main` and ends pktgen, whatever happened: no script goes on for ever.
function generator.run(results, main)
  local problem
  out, problem = io.open(results, "w")
  if not out then
    io.write("cannot write the results: ", problem, "\r\n")
  else
    local done, failure = pcall(main)
    pktgen.stop("all")
    if not done then
      generator.print("ERROR: %s", failure)
    end
    out:close()
  end
  pktgen.quit()
end

local function greatest_common_divisor(a, b)
  while b ~= 0 do
    a, b = b, a % b
  end
  return a
end

-- Ports and addresses of so many flows: ports * addresses == flows, without a common factor.
local function split(flows)
  for ports = math.min(flows, 4096), 1, -1 do
    local addresses = flows // ports
    if flows % ports == 0 and greatest_common_divisor(ports, addresses) == 1 then
      return ports, addresses
    end
  end
end

local function address_plus(address, number)
  local a, b, c, d = address:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if not a then
    error("address " .. tostring(address) .. ": expected one such as 10.1.0.1", 0)
  end
  local value = ((a * 256 + b) * 256 + c) * 256 + d + number
  return string.format("%d.%d.%d.%d", value // 16777216 % 256, value // 65536 % 256, value // 256 % 256, value % 256)
end

local function info(port)
  return pktgen.portInfo(port)[tonumber(port)].info
end

local function check_link(port)
  for _ = 1, 100 do
    local state = pktgen.linkState(port)[tonumber(port)]
    if state and state:find("UP") then
      return
    end
    pktgen.delay(100)
  end
  error("port " .. port .. ": no link for ten seconds", 0)
end

-- The ports, ready and silent.
function generator.prepare(settings)
  pktgen.screen("off")
  pktgen.stop("all")
  for _, port in ipairs({ settings.send_port, settings.receive_port }) do
    if tonumber(port) >= pktgen.portCount() then
      error("port " .. port .. ": pktgen has " .. pktgen.portCount() .. ": see its option -m", 0)
    end
    check_link(port)
  end
  local port = settings.send_port
  pktgen.set(port, "count", 0) -- until it is stopped
  pktgen.set_proto(port, settings.protocol)
  pktgen.set_mac(port, "dst", settings.balancer_mac)
  pktgen.range.dst_mac(port, "start", settings.balancer_mac)
  pktgen.range.src_mac(port, "start", info(port).l2_l3_info.src_mac)
  pktgen.range.ip_proto(port, settings.protocol)
  for _, what in ipairs({ "start", "min", "max" }) do
    pktgen.range.dst_ip(port, what, settings.vip)
    pktgen.range.dst_port(port, what, settings.vip_port)
    pktgen.range.ttl(port, what, 64)
  end
  pktgen.range.dst_ip(port, "inc", "0.0.0.0")
  pktgen.range.dst_port(port, "inc", 0)
  pktgen.range.ttl(port, "inc", 0)
  pktgen.set_range(port, "on")
end

-- Which flows: so many clients' ports and addresses. Not while the port sends.
function generator.set_flows(settings, flows)
  local port = settings.send_port
  local ports, addresses = split(flows)
  pktgen.range.src_port(port, "start", 1024)
  pktgen.range.src_port(port, "min", 1024)
  pktgen.range.src_port(port, "max", 1024 + ports - 1)
  pktgen.range.src_port(port, "inc", ports > 1 and 1 or 0)
  pktgen.range.src_ip(port, "start", settings.client)
  pktgen.range.src_ip(port, "min", settings.client)
  pktgen.range.src_ip(port, "max", address_plus(settings.client, addresses - 1))
  pktgen.range.src_ip(port, "inc", addresses > 1 and "0.0.0.1" or "0.0.0.0")
end

-- `size` as RFC 2544 counts, checksum of the frame included: 64 to 1518.
function generator.set_size(settings, size)
  local port = settings.send_port
  pktgen.set(port, "size", size) -- by which pktgen computes its rate
  for _, what in ipairs({ "start", "min", "max" }) do
    pktgen.range.pkt_size(port, what, size)
  end
  pktgen.range.pkt_size(port, "inc", 0)
end

-- Frames sent and received since pktgen started.
function generator.counters(settings)
  local sent = pktgen.portStats(settings.send_port, "port")[tonumber(settings.send_port)].opackets
  local received = pktgen.portStats(settings.receive_port, "port")[tonumber(settings.receive_port)].ipackets
  return sent, received
end

-- Sends at `percent` of the line rate for so many seconds and waits until everything must have come back. The result:
-- sent, received, wanted (what it should have sent), each in packets, and mpps, the millions a second that came back.
function generator.trial(settings, percent, seconds)
  local port = settings.send_port
  pktgen.set(port, "rate", percent)
  pktgen.delay(settings.settle_ms)
  local sent_before, received_before = generator.counters(settings)
  pktgen.start(port)
  pktgen.delay(math.floor(seconds * 1000))
  pktgen.stop(port)
  pktgen.delay(settings.settle_ms)
  local sent, received = generator.counters(settings)
  local wanted = info(port).tx_debug.tx_pps * seconds
  return {
    sent = sent - sent_before,
    received = received - received_before,
    wanted = wanted,
    mpps = (received - received_before) / seconds / 1e6,
  }
end

-- Sends so many packets from newly made frames, and waits until they are sent: for ten seconds at most.
function generator.send(settings, packets)
  local port = settings.send_port
  pktgen.set(port, "count", packets)
  pktgen.start(port)
  for _ = 1, 5000 do
    if pktgen.isSending(port)[tonumber(port)] ~= "y" then
      break
    end
    pktgen.delay(2)
  end
  pktgen.stop(port)
  pktgen.set(port, "count", 0)
end

-- Opens every flow before anything is measured: each is seen twice at least, at a rate that loses nothing.
function generator.warm_up(settings)
  local result = generator.trial(settings, settings.warm_up_percent, settings.warm_up_seconds)
  if result.received == 0 then
    error("nothing came back: does the balancer know the servers' MACs? `ballastctl drops` says why it drops", 0)
  end
end

-- Gbit/s on the wire: the frame, preamble and gap.
function generator.wire_gbps(mpps, size)
  return mpps * (size + 20) * 8 / 1000
end

function generator.lost_percent(result)
  return result.sent > 0 and (result.sent - result.received) / result.sent * 100 or 0
end

return generator
