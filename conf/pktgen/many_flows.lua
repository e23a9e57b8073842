-- Throughput of the smallest frames over the number of flows.
--
--   pktgen EAL_OPTIONS -- -m MATRIX -f conf/pktgen/many_flows.lua
--
-- pktgen has at most 24576 different frames a transmit queue. Rows with more flows than frames are measured with the
-- table as full as they say, over the last 24576 flows that were opened: the connection table is large, but what
-- is touched of it is not. For packets of a million flows in random order see `./dev bench pipeline`. The balancer
-- must have room: [connections] in dataplane.toml. Takes 5 rows x (10 + 4) s, and the time to open the flows.
--
-- docs/performance.md, "Measuring on your own hardware", says what is connected to what.
local settings = {
  send_port = "0", -- the pktgen port at the balancer's client side
  receive_port = "1", -- the one at its server side, with the MAC of all servers; send_port for a one-armed balancer
  balancer_mac = "02:00:00:00:00:01", -- of the balancer's port that send_port is connected to
  vip = "198.18.0.10", -- of a service in mode dr
  vip_port = 53,
  protocol = "udp", -- as in the service's listener: udp or tcp
  client = "10.1.0.1", -- the first client; more follow it
  flows = { 1, 1000, 10000, 24576, 1000000 },
  frames = 24576, -- 24576 x transmit queues
  size = 64, -- with the frame's checksum
  percent = 100, -- of the line rate
  seconds = 10, -- of each trial
  open_percent = 5, -- of the line rate, to open flows without losing any
  warm_up_percent = 1, -- of the line rate, to open all flows before anything is measured
  warm_up_seconds = 2,
  settle_ms = 2000, -- after a trial, until the last frame is back and counted; RFC 2544 section 23 says 2 s
  results = "many_flows.txt", -- in the folder from which pktgen was started
}

local generator = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "./") .. "generator.lua")

-- Rounds of `frames` flows each: a start goes on where the ranges were.
local function open_flows(flows)
  pktgen.set(settings.send_port, "rate", settings.open_percent)
  for _ = 1, (flows + settings.frames - 1) // settings.frames do
    generator.send(settings, 2 * settings.frames) -- two of each: a second packet makes a UDP flow trusted
  end
end

generator.run(settings.results, function()
  generator.prepare(settings)
  generator.set_size(settings, settings.size)
  generator.print("| flows open | flows in the traffic | sent Mpps | received Mpps | ns a packet | lost |")
  generator.print("| ---: | ---: | ---: | ---: | ---: | ---: |")
  for _, flows in ipairs(settings.flows) do
    generator.set_flows(settings, flows)
    if flows > settings.frames then
      open_flows(flows)
    end
    generator.warm_up(settings)
    local result = generator.trial(settings, settings.percent, settings.seconds)
    generator.print("| %d | %d | %.3f | %.3f | %.0f | %.4f %% |", flows, math.min(flows, settings.frames),
      result.sent / settings.seconds / 1e6, result.mpps, 1000 / result.mpps, generator.lost_percent(result))
  end
end)
