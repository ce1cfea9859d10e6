#!lua flags=no-writes
-- Deadlines that are due in some buckets, by the store's own clock.
--
-- KEYS: due indexes
-- ARGV: limit for each bucket, limit after which no further bucket is looked at
-- Returns { '<session> <deadline>', time, … }; oldest first within a bucket.

local call = redis.call
local time = call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local enough = tonumber(ARGV[2]) * 2

local found = {}
for i = 1, #KEYS do
  local due = call('ZRANGE', KEYS[i], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1], 'WITHSCORES')
  local n = #found
  for j = 1, #due do found[n + j] = due[j] end
  if #found >= enough then break end
end
return found
