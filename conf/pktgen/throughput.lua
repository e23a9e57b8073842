-- Throughput over frame sizes: what comes through when everything is sent that the line takes.
--
--   pktgen EAL_OPTIONS -- -m MATRIX -f conf/pktgen/throughput.lua
--
-- Above what the balancer can do this is its rate under overload, which may be lower than the highest rate without
-- loss: see rfc2544.lua for that one. Takes 7 sizes x (10 + 4) s + 6 s.
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
  sizes = { 64, 128, 256, 512, 1024, 1280, 1518 }, -- with the frame's checksum
  flows = 1000, -- at most 24576 a transmit queue
  percent = 100, -- of the line rate
  seconds = 10, -- of each trial
  warm_up_percent = 1, -- of the line rate, to open all flows before anything is measured
  warm_up_seconds = 2,
  settle_ms = 2000, -- after a trial, until the last frame is back and counted; RFC 2544 section 23 says 2 s
  results = "throughput.txt", -- in the folder from which pktgen was started
}

local generator = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "./") .. "generator.lua")

generator.run(settings.results, function()
  generator.prepare(settings)
  generator.set_flows(settings, settings.flows)
  generator.set_size(settings, settings.sizes[1])
  generator.warm_up(settings)
  generator.print("| frame | sent Mpps | received Mpps | Gbit/s on the wire | lost |")
  generator.print("| ---: | ---: | ---: | ---: | ---: |")
  for _, size in ipairs(settings.sizes) do
    generator.set_size(settings, size)
    local result = generator.trial(settings, settings.percent, settings.seconds)
    generator.print("| %d | %.3f | %.3f | %.3f | %.4f %% |", size, result.sent / settings.seconds / 1e6, result.mpps,
      generator.wire_gbps(result.mpps, size), generator.lost_percent(result))
  end
end)
