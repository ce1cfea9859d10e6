#!lua flags=no-writes
-- The heads and some fields of several sessions.
--
-- KEYS: for each session: record, log
-- ARGV: names of fields
-- Returns for each session nil when there is none, or its log is gone though the record names events;
--         else { head, floor | nil, value | nil, … }.

local call = redis.call
local names = { '.', ',' }
for i = 1, #ARGV do names[i + 2] = 'f' .. ARGV[i] end

local function record(key, log)
  local found = call('HMGET', key, unpack(names))
  if not found[1] then return false end
  local head = tonumber(string.match(found[1], '^%S+ (%d+)'))
  local floor = found[2] and tonumber(string.match(found[2], '^%d+')) or 0
  if head > floor and call('EXISTS', log) == 0 then return false end
  return found
end

local records = {}
for i = 1, #KEYS, 2 do records[(i + 1) / 2] = record(KEYS[i], KEYS[i + 1]) end
return records
