-- The highest rate at which no frame is lost, for each frame size (RFC 2544 section 26.1), by bisection.
--
--   pktgen EAL_OPTIONS -- -m MATRIX -f conf/pktgen/rfc2544.lua
--
-- A trial passes when all that was sent came back, and when pktgen sent what it was told to: a generator that falls
-- short finds its own limit, which the table says ("generator" instead of "loss"). The rate found is confirmed by a
-- longer trial, up to `retries` times more a little lower when frames are lost. With the values below it takes 24
-- minutes when every first confirmation holds, and 39 at most.
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
  seconds = 10, -- of each trial of the search
  confirm_seconds = 60, -- RFC 2544 section 24 wants 60
  trials = 10, -- of the search: it ends at a step of 100 % / 2^trials
  retries = 2, -- of the confirmation, each 1 % below the last
  shortfall = 0.01, -- the share by which pktgen may miss the rate it was told
  lost_percent = 0, -- that a trial may lose: 0 for RFC 2544's throughput; 0.5 is common for a "partial drop rate"
  warm_up_percent = 1, -- of the line rate, to open all flows before anything is measured
  warm_up_seconds = 2,
  settle_ms = 2000, -- after a trial, until the last frame is back and counted; RFC 2544 section 23 says 2 s
  results = "rfc2544.txt", -- in the folder from which pktgen was started
}

local generator = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "./") .. "generator.lua")

-- Whether a trial at so many percent passes, the trial, and what limits when it does not.
local function passes(percent, seconds)
  local result = generator.trial(settings, percent, seconds)
  if generator.lost_percent(result) > settings.lost_percent then
    return false, result, "loss"
  end
  if result.sent < result.wanted * (1 - settings.shortfall) then
    return false, result, "generator"
  end
  return true, result, "line"
end

-- The highest percentage found to pass, 0 if none, and what limits above it.
local function search()
  local good, bad, limit = 0, 100, "line"
  local percent = 100 -- the line itself first: where it passes there is nothing to search
  for _ = 1, settings.trials do
    local passed, _, what = passes(percent, settings.seconds)
    if passed then
      good = percent
    else
      bad, limit = percent, what
    end
    if good == 100 then
      break
    end
    percent = (good + bad) / 2
  end
  return good, limit
end

local function confirm(percent)
  for _ = 0, settings.retries do
    local passed, result = passes(percent, settings.confirm_seconds)
    if passed then
      return percent, result
    end
    percent = percent * 0.99
  end
end

generator.run(settings.results, function()
  generator.prepare(settings)
  generator.set_flows(settings, settings.flows)
  generator.set_size(settings, settings.sizes[1])
  generator.warm_up(settings)
  generator.print("| frame | zero-loss rate | Mpps | Gbit/s on the wire | above it |")
  generator.print("| ---: | ---: | ---: | ---: | --- |")
  for _, size in ipairs(settings.sizes) do
    generator.set_size(settings, size)
    local found, limit = search()
    local percent, result
    if found > 0 then
      percent, result = confirm(found)
    end
    if result then
      generator.print("| %d | %.2f %% | %.3f | %.3f | %s |", size, percent, result.mpps,
        generator.wire_gbps(result.mpps, size), limit)
    else
      generator.print("| %d | none | | | %s |", size, found > 0 and "not confirmed at the rate found" or limit)
    end
  end
end)
