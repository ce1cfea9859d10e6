#!lua flags=no-writes
-- The commands that the caller's user may not run, or that this server does not have. Nothing is run, and nothing touched.
--
-- KEYS: none, so that every node of a Cluster answers
-- ARGV: commands, each with its arguments after spaces
-- Returns those that are refused, in order; none where the server cannot be asked.

local refused = {}
if not redis.acl_check_cmd then return refused end

-- A server that cannot tell of a command has not refused it; one that says that it has no such command has.
local function refuses(words)
  local asked, answer = pcall(redis.acl_check_cmd, unpack(words))
  if asked then return not answer end
  local why = type(answer) == 'table' and answer.err or tostring(answer)
  return string.find(why, 'Invalid command', 1, true) ~= nil
end

for i = 1, #ARGV do
  local words = {}
  for word in string.gmatch(ARGV[i], '%S+') do words[#words + 1] = word end
  if refuses(words) then refused[#refused + 1] = ARGV[i] end
end
return refused
