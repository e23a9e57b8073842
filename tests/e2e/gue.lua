-- GUE, variant 0, for tshark: tshark -X lua_script:gue.lua
local gue = Proto("gue", "Generic UDP Encapsulation")
local inner = { [4] = Dissector.get("ip"), [41] = Dissector.get("ipv6") }

function gue.dissector(buffer, packet, tree)
  local header = 4 + 4 * buffer(0, 1):bitfield(3, 5)
  local dissector = inner[buffer(1, 1):uint()]
  if buffer(0, 1):bitfield(0, 2) ~= 0 or dissector == nil then
    return 0
  end
  tree:add(gue, buffer(0, header))
  return dissector:call(buffer(header):tvb(), packet, tree)
end

DissectorTable.get("udp.port"):add(6080, gue)
