#!lua flags=allow-oom
-- Drops the oldest events that are beyond a policy. Harmless to repeat.
--
-- KEYS: record, log
-- ARGV: max events | '', max bytes | '', max age in ms | '', newest serial that may go, limit;
--       then, with a guard: the field, and its value unless it must be absent
-- Returns nil when there is no such session; else { floor, number of events dropped, 1 when more ought to go else 0 }.

local call, format = redis.call, string.format
local CRC_BYTES, STEP, SCAN_BYTES = 8, 100, 4194304

local found = call('HMGET', KEYS[1], '.', ',')
if not found[1] then return false end
local epoch, head, tag, lastAt, bytes, generations = string.match(found[1], '^(%S+) (%d+) (%S+) (%d+) (%d+) (.*)$')
head, bytes = tonumber(head), tonumber(bytes)
local floor, floorTag = string.match(found[2] or '0 --------', '^(%d+) (%S+)$')
floor = tonumber(floor)
if head > floor and call('EXISTS', KEYS[2]) == 0 then return false end

if ARGV[6] and call('HGET', KEYS[1], ARGV[6]) ~= (ARGV[7] or false) then return { format('%.0f', floor), 0, 0 } end

local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local maxEvents, maxBytes, maxAge = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local notAfter, limit = tonumber(ARGV[4]), tonumber(ARGV[5])
local oldest = maxAge and now - maxAge

-- The oldest event that is left is looked at once; what it says is needed only when nothing cheaper decides.
local function beyond(at)
  return (maxEvents and head - floor > maxEvents) or (maxBytes and bytes > maxBytes) or (oldest and at < oldest)
end

local trimmed, scanned, more = 0, 0, false
while head > floor and floor < notAfter do
  -- A script that has run long enough leaves the rest to the next call.
  if scanned > SCAN_BYTES then more = true break end
  local from = format('%.0f-0', floor + 1)
  local entries = call('XRANGE', KEYS[2], from, '+', 'COUNT', math.min(STEP, limit - trimmed + 1))
  if #entries == 0 then break end
  local stop = false
  for i = 1, #entries do
    local text = entries[i][2][2]
    local eventTag, at = string.match(text, '"tag":"(%S-)","prev":"%S-","at":(%d+),')
    if floor >= notAfter or not beyond(tonumber(at)) then stop = true break end
    if trimmed >= limit then stop, more = true, true break end
    floor, floorTag = tonumber(string.match(entries[i][1], '^%d+')), eventTag
    bytes = bytes - (#text - CRC_BYTES)
    scanned, trimmed = scanned + #text, trimmed + 1
  end
  if stop then break end
end

if trimmed > 0 then
  -- Exact, not `~`: the floor is what is really the last one gone. An empty stream would still take its 4 kB.
  if floor >= head then call('UNLINK', KEYS[2]) else call('XTRIM', KEYS[2], 'MINID', format('%.0f-0', floor + 1)) end
  call('HSET', KEYS[1], '.', format('%s %.0f %s %s %.0f %s', epoch, head, tag, lastAt, bytes, generations),
    ',', format('%.0f %s', floor, floorTag))
end
return { format('%.0f', floor), trimmed, more and 1 or 0 }
