-- A storm of SYNs, each round of them from clients that were never seen before.
--
--   pktgen EAL_OPTIONS -- -m MATRIX -f conf/pktgen/syn_storm.lua
--
-- pktgen makes 24576 SYNs a transmit queue each time that a port starts, so the storm is many short rounds, each
-- after a pause in which the next SYNs are made. It sends each of them `repeats` times, one after all the others: with
-- 1 every SYN is new, and the pauses are most of the time; with more there are more packets a second, and the balancer
-- takes those that it knows for the retransmissions that they look like. More transmit queues make more new ones.
--
-- What is to be seen is not here, but at the balancer, while the storm blows: connections of real clients through the
-- same VIP go on (`curl`, `wrk`), `ballastctl status` shows the untrusted part full and the trusted one untouched,
-- `ballastctl drops` no drop of an established packet. Takes 30 s and the settling.
--
-- docs/performance.md, "Measuring on your own hardware", says what is connected to what.
local settings = {
  send_port = "0", -- the pktgen port at the balancer's client side
  receive_port = "1", -- the one at its server side, with the MAC of all servers; send_port for a one-armed balancer
  balancer_mac = "02:00:00:00:00:01", -- of the balancer's port that send_port is connected to
  vip = "198.18.0.10", -- of a service in mode dr
  vip_port = 53,
  protocol = "tcp", -- as in the service's listener: udp or tcp
  client = "10.1.0.1", -- the first client; more follow it
  size = 64, -- with the frame's checksum
  frames = 24576, -- 24576 x transmit queues
  clients = 1000000, -- addresses and ports, in all; every round takes the next ones
  percent = 100, -- of the line rate
  seconds = 30,
  repeats = 20, -- of each SYN
  settle_ms = 2000, -- after a trial, until the last frame is back and counted; RFC 2544 section 23 says 2 s
  results = "syn_storm.txt", -- in the folder from which pktgen was started
}

local generator = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "./") .. "generator.lua")

-- pktgen sets TCP flags only by its command line, which it also reads from files.
local function set_syn_flag()
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write("range ", settings.send_port, " tcp flag clr all\n", "range ", settings.send_port, " tcp flag set syn\n")
  file:close()
  pktgen.load(path)
  os.remove(path)
end

generator.run(settings.results, function()
  generator.prepare(settings)
  set_syn_flag()
  generator.set_flows(settings, settings.clients)
  generator.set_size(settings, settings.size)
  local port = settings.send_port
  pktgen.set(port, "rate", settings.percent)
  pktgen.delay(settings.settle_ms)
  local sent_before, received_before = generator.counters(settings)
  local began, rounds = os.time(), 0
  while os.time() - began < settings.seconds do
    generator.send(settings, settings.frames * settings.repeats)
    rounds = rounds + 1
  end
  local seconds = os.time() - began
  pktgen.delay(settings.settle_ms)
  local sent, received = generator.counters(settings)
  sent, received = sent - sent_before, received - received_before
  local new = math.min(rounds * settings.frames, settings.clients, sent)
  generator.print("| seconds | SYNs sent | of them new | sent Mpps | forwarded | forwarded Mpps |")
  generator.print("| ---: | ---: | ---: | ---: | ---: | ---: |")
  generator.print("| %d | %d | %d | %.3f | %d | %.3f |", seconds, sent, new, sent / seconds / 1e6,
    received, received / seconds / 1e6)
end)
