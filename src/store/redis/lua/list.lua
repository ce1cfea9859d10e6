#!lua flags=no-writes
-- Ids of sessions from the indexes of some buckets, in order, until the limit is reached.
--
-- KEYS: indexes
-- ARGV: where the first bucket begins, where any other one begins, where each ends (as ZRANGE BYLEX takes them), limit
-- Returns { ids of the first, ids of the second, … }, for as many buckets as were looked at.

local ids, left = {}, tonumber(ARGV[4])
for i = 1, #KEYS do
  ids[i] = redis.call('ZRANGE', KEYS[i], i == 1 and ARGV[1] or ARGV[2], ARGV[3], 'BYLEX', 'LIMIT', 0, left)
  left = left - #ids[i]
  if left <= 0 then break end
end
return ids
