-- Holds a listed client's request for the client's own delay and lets it go on to the API.
--
-- HAProxy asks with txn.sundew_delay_ms set; txn.sundew_full comes back set when the request was not held because too
-- many are. A held request costs about 4 kB and a connection, so both bounds stay well below maxconn. A client that
-- hangs up keeps its place until its delay is over, which limits what it gains by trying again.

local MAX_DELAY_MS = 10000
local MAX_HELD = 500
local MAX_HELD_PER_CLIENT = 3

local held = 0
local held_by = {}

local function enter(client)
  local own = held_by[client] or 0
  if held >= MAX_HELD or own >= MAX_HELD_PER_CLIENT then
    return false
  end
  held = held + 1
  held_by[client] = own + 1
  return true
end

local function leave(client)
  held = held - 1
  local own = held_by[client] - 1
  held_by[client] = own > 0 and own or nil
end

core.register_action("sundew_tarpit", { "http-req" }, function(txn)
  local delay = tonumber(txn:get_var("txn.sundew_delay_ms")) or 0
  if delay <= 0 then
    return
  end
  local client = txn.f:src() or "unknown"
  if not enter(client) then
    txn:set_var("txn.sundew_full", 1)
    return
  end
  -- A tenth up or down keeps a client from learning the delay and planning around it.
  core.msleep(math.floor(math.min(delay, MAX_DELAY_MS) * (0.9 + 0.2 * math.random())))
  leave(client)
end)
