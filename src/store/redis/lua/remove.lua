#!lua flags=allow-oom
-- Forgets a session, and remembers for a while that it did, so that a repetition of this very request gets the first answer.
--
-- KEYS: the kept answer, record, log, even ids, odd ids, due, index
-- ARGV: session, PUBLISH or SPUBLISH, channel, instance, deadline | '', its time | '' (not set), 0 | 1: guarded
-- Returns 1 when something was forgotten, else 0.

local call = redis.call
local KEEP_ANSWER_MS = 120000

local kept = call('GET', KEYS[1])
if kept then
  call('PEXPIRE', KEYS[1], KEEP_ANSWER_MS) -- a write, so that a WAIT behind it covers the first attempt's
  return tonumber(kept)
end

local function answer(number)
  call('SET', KEYS[1], number, 'PX', KEEP_ANSWER_MS)
  return number
end

if call('HEXISTS', KEYS[2], '.') == 0 then return answer(0) end
if ARGV[7] == '1' and (call('HGET', KEYS[2], 'd' .. ARGV[5]) or '') ~= ARGV[6] then return answer(0) end

for _, field in ipairs(call('HKEYS', KEYS[2])) do
  if string.sub(field, 1, 1) == 'd' then call('ZREM', KEYS[6], ARGV[1] .. ' ' .. string.sub(field, 2)) end
end
call('UNLINK', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
call('ZREM', KEYS[7], ARGV[1])
redis.pcall(ARGV[2], ARGV[3], 'R ' .. ARGV[4]) -- may be lost: see commit.lua
return answer(1)
