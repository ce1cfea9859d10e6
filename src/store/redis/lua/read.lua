#!lua flags=no-writes
-- A page of a log together with its head, in one step.
--
-- KEYS: record, log
-- ARGV: after, limit, maximal bytes of text
-- Returns nil when there is no such session, or its log is gone though the record names events;
--         else { head, floor | nil, entry, … }: the record's `.` and `,` and the entries as they are stored.

local call = redis.call
local CRC_BYTES, LOOKS = 8, 10

local found = call('HMGET', KEYS[1], '.', ',')
if not found[1] then return false end
local head, bytes = string.match(found[1], '^%S+ (%d+) %S+ %d+ (%d+)')
head, bytes = tonumber(head), tonumber(bytes)
local floor = found[2] and tonumber(string.match(found[2], '^%d+')) or 0
if head > floor and call('EXISTS', KEYS[2]) == 0 then return false end

local page = { found[1], found[2] }
local after, limit, left = math.max(tonumber(ARGV[1]), floor), tonumber(ARGV[2]), tonumber(ARGV[3])
-- A little more than what the mean size lets expect, so that big events are not read only to be thrown away.
local mean = bytes / math.max(1, head - floor)
for _ = 1, LOOKS do
  local want = math.min(limit - (#page - 2), math.ceil(math.max(left, 1) / math.max(mean, 1)) + 4)
  if after >= head or want <= 0 then break end
  local from = string.format('%.0f-0', after + 1)
  local entries = call('XRANGE', KEYS[2], from, string.format('%.0f-0', head), 'COUNT', want)
  for i = 1, #entries do
    local entry = entries[i][2][2]
    left = left - (#entry - CRC_BYTES)
    if left < 0 and #page > 2 then return page end
    page[#page + 1] = entry
  end
  if #entries < want then break end
  after = tonumber(string.match(entries[#entries][1], '^%d+'))
end
return page
