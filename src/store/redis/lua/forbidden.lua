#!lua flags=no-writes
-- The commands that the caller's user may not run, or that this server does not have. Nothing is run, and nothing touched.
--
-- KEYS: none, so that every node of a Cluster answers
-- ARGV: commands, each with its arguments after spaces
-- Returns those that are refused, in order; none where the server cannot be asked.

local refused = {}
if not redis.acl_check_cmd then return refused end
for i = 1, #ARGV do
  local words = {}
  for word in string.gmatch(ARGV[i], '%S+') do words[#words + 1] = word end
  local known, allowed = pcall(redis.acl_check_cmd, unpack(words))
  if not (known and allowed) then refused[#refused + 1] = ARGV[i] end
end
return refused
