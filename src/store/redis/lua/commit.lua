#!lua
-- A batch of commits, in order, each atomic and each answered by itself. [DESIGN 3]
--
-- KEYS: 1            the kept answer of this place in the caller's window
--       then, for each session of the batch: record, log, even ids, odd ids, due, index
-- ARGV: instance, sequence number of the batch, PUBLISH or SPUBLISH, length of a generation of ids in ms, its margin in ms,
--       number of sessions; for each session: its id, its channel; then the commits, one after another:
--         session's number, epoch ('' : must exist), numbers of producers (0 or 1), guards, events, ids, writes, deadlines;
--         producer: id, epoch, seq, count
--         guard:    f | d, name, 0 | 1, value        (0: absent)
--         event:    tag, crc, body, id, fingerprint  ('' : no id to remember; else '+' and what it is)
--         write:    name, 0 | 1, value               (0: remove)
--         deadline: name, ms from now                ('' : clear)
-- Returns { now, { for each session '' or 'epoch head tag at floor' as it was before }, { for each commit an answer } }:
--         the bytes of the log after it, a number, where it was carried out: the caller adds up the rest; else
--         { 'missing' }, { 'exists' }, { 'fenced', epoch }, { 'gap', expected },
--         { 'replayed', epoch, count, ranges }, { 'duplicate', epoch, id, remembered, … },
--         { 'conflict', f | d, name, 0 | 1, value, … }, { 'failed', text }
--
-- The answers are kept for a while under the batch's number. A batch that comes again, because its answer was lost on
-- the way, gets the same answers and changes nothing; one that comes late, after younger ones, is refused.
--
-- What of a session is needed again and again is read once, kept in its table, and written at the end. OOM, READONLY and the
-- like are checked by Redis before a script of this kind begins; so only XADD could fail, and it is the first write of its commit.
--
-- Ids are remembered in generations, by the clock: one hash for even ones, one for odd ones, each with its own end. An id lives for at
-- least one generation less the margin; `g1` and `g0` are the last two generations that were written, so that no hash is asked in vain.

local call, pcall, format, match = redis.call, redis.pcall, string.format, string.match
local HINT_BYTES, KEEP_ANSWERS_MS, RING = 16384, '120000', 16
local A, K = ARGV, KEYS

local instance, sequence, publish = A[1], tonumber(A[2]), A[3]
local kept = call('GET', K[1])
if kept then
  kept = cmsgpack.unpack(kept)
  if kept[1] == sequence then
    call('PEXPIRE', K[1], KEEP_ANSWERS_MS) -- a write, so that a WAIT behind it covers the first attempt's
    return kept[2]
  end
  if kept[1] > sequence then return redis.error_reply('STALE this batch comes late') end
end

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local span, margin = tonumber(A[4]), tonumber(A[5])
local generation, nowText = math.floor(now / span), format('%d', now)

-- Not `..` nor %.0f, which print a float, slowly.
local function int(number) return format('%d', number) end

-- Every field is named at once, here and below: a table that grows one by one is laid out anew each time.
local function load(k, id, channel)
  local s = {
    k = k, record = K[k], log = K[k + 1], id = id, channel = channel, exists = false, epoch = false, head = 0, tag = false,
    last = 0, at = 0, atText = false, bytes = 0, floor = 0, g1 = 0, g0 = 0,
    changed = false, entries = false, woken = false, known = false, asked = false, added = false, hintBytes = 0,
  }
  local found = call('HMGET', s.record, '.', ',')
  if not found[1] then return s, '' end
  local epoch, head, tag, at, bytes, g1, g0 = match(found[1], '^(%S+) (%d+) (%S+) (%d+) (%d+) (%d+) (%d+)$')
  local floor = found[2] and match(found[2], '^%d+') or '0'
  s.exists, s.epoch, s.head, s.tag, s.bytes = true, epoch, tonumber(head), tag, tonumber(bytes)
  s.last, s.floor, s.g1, s.g0 = tonumber(at), tonumber(floor), tonumber(g1), tonumber(g0)
  if now > s.last then s.at, s.atText = now, nowText else s.at, s.atText = s.last, at end
  return s, epoch .. ' ' .. head .. ' ' .. tag .. ' ' .. s.atText .. ' ' .. floor
end

-- Every commit, as places in ARGV.
local sessions, starts, commits, p = {}, {}, {}, 7 + 2 * A[6]
for i = 1, tonumber(A[6]) do
  sessions[i], starts[i] = load(6 * i - 4, A[5 + 2 * i], A[6 + 2 * i])
end
while p <= #A do
  local s, guardCount, eventCount = sessions[tonumber(A[p])], tonumber(A[p + 3]), tonumber(A[p + 4])
  local writeCount, deadlineCount = tonumber(A[p + 6]), tonumber(A[p + 7])
  local producer, ids = A[p + 2] == '1', A[p + 5] ~= '0'
  local guards = p + 8 + (producer and 4 or 0)
  local events = guards + 4 * guardCount
  local writes = events + 5 * eventCount
  local deadlines = writes + 3 * writeCount
  commits[#commits + 1] = {
    s = s, epoch = A[p + 1], producer = producer and p + 8, ids = ids, guards = guards, events = events, writes = writes,
    deadlines = deadlines, done = deadlines + 2 * deadlineCount, ring = false, ringSize = false,
  }
  p = deadlines + 2 * deadlineCount
  if ids then
    local asked = s.asked or {}
    for e = events, writes - 1, 5 do
      if A[e + 4] ~= '' then asked[#asked + 1] = A[e + 3] end
    end
    s.asked = asked
  end
end

local function idKey(s, g) return K[s.k + 2 + g % 2] end

local function recall(s, g)
  local found = call('HMGET', idKey(s, g), unpack(s.asked))
  for i = 1, #found do
    if found[i] then s.known[s.asked[i]] = found[i] end
  end
end
for i = 1, #sessions do
  local s = sessions[i]
  if s.asked then s.known = {} end
  if s.asked and s.exists then
    local back = s.g1 > generation -- the clock was set back
    if s.g1 == generation or back then recall(s, generation) end
    if s.g1 == generation - 1 or s.g0 == generation - 1 or back then recall(s, generation - 1) end
  end
end

local function checkProducer(s, at)
  local known = call('HGET', s.record, 'p' .. A[at])
  if not known then return end
  local epoch, last, size, ring = match(known, '^(%d+) (%-?%d+) (%d+) (.*)$')
  epoch, last = tonumber(epoch), tonumber(last)
  local claimed, seq, count = tonumber(A[at + 1]), tonumber(A[at + 2]), tonumber(A[at + 3])
  if claimed > epoch then return end
  if claimed < epoch then return { 'fenced', int(epoch) } end
  if seq > last + 1 then return { 'gap', int(last + 1) } end
  if seq < last + 1 then return { 'replayed', s.epoch, int(math.min(count, last - seq + 1)), ring } end
  return nil, ring, tonumber(size)
end

local function checkIds(s, c)
  local answer
  for e = c.events, c.writes - 1, 5 do
    local known = A[e + 4] ~= '' and s.known[A[e + 3]]
    if known then
      answer = answer or { 'duplicate', s.epoch }
      answer[#answer + 1] = A[e + 3]
      answer[#answer + 1] = known
    end
  end
  return answer
end

local function checkGuards(s, c)
  local holds, answer = true, { 'conflict' }
  for g = c.guards, c.events - 1, 4 do
    local value = s.exists and call('HGET', s.record, A[g] .. A[g + 1]) or false
    if value ~= (A[g + 2] == '1' and A[g + 3]) then holds = false end
    local n = #answer
    answer[n + 1], answer[n + 2], answer[n + 3], answer[n + 4] = A[g], A[g + 1], value and '1' or '0', value or ''
  end
  if not holds then return answer end
end

local function refusal(s, c)
  local answer
  if s.exists then
    if c.epoch ~= '' then return { 'exists' } end
    if c.producer then answer, c.ring, c.ringSize = checkProducer(s, c.producer) end
    if not answer and c.ids then answer = checkIds(s, c) end
  elseif c.epoch == '' then
    return { 'missing' }
  end
  if not answer and c.guards < c.events then answer = checkGuards(s, c) end
  return answer
end

-- Makes a session, over what may be left of a log that lost its record, or of a record that lost its log.
local function create(s, epoch)
  for _, field in ipairs(call('HKEYS', s.record)) do
    if string.sub(field, 1, 1) == 'd' then call('ZREM', K[s.k + 4], s.id .. ' ' .. string.sub(field, 2)) end
  end
  call('UNLINK', s.record, s.log, K[s.k + 2], K[s.k + 3])
  call('ZADD', K[s.k + 5], '0', s.id)
  s.exists, s.changed, s.known, s.added = true, true, {}, false
  s.epoch, s.head, s.tag, s.bytes, s.floor, s.g1, s.g0 = epoch, 0, '--------', 0, 0, 0, 0
  s.at, s.atText, s.last = now, nowText, 0
end

local function append(s, c)
  local entries, at = s.entries or {}, '","at":' .. s.atText .. ','
  local serial, prev, bytes = s.head, s.tag, s.bytes
  for e = c.events, c.writes - 1, 5 do
    serial = serial + 1
    local tag, id = A[e], int(serial)
    local entry = A[e + 1] .. '{"serial":' .. id .. ',"tag":"' .. tag .. '","prev":"' .. prev .. at .. A[e + 2]
    local done
    if s.head > s.floor and serial == s.head + 1 then
      -- A log that ought to be there is not made anew: its events are gone, and so is its epoch.
      done = pcall('XADD', s.log, 'NOMKSTREAM', id .. '-0', 'e', entry)
      if not done then
        s.exists = false
        return { 'missing' }
      end
    else
      done = pcall('XADD', s.log, id .. '-0', 'e', entry)
    end
    if type(done) == 'table' and done.err then return { 'failed', done.err } end
    prev, bytes = tag, bytes + #entry - 8
    entries[#entries + 1] = entry
  end
  s.woken = s.woken or s.head + 1
  s.entries, s.changed, s.last = entries, true, s.at
  s.hintBytes = s.hintBytes + bytes - s.bytes
  s.head, s.tag, s.bytes = serial, prev, bytes
end

local function remember(s, c, first)
  if c.producer then
    local at = c.producer
    local seq, count = A[at + 2], A[at + 3]
    local entry = seq .. ':' .. count .. ':' .. int(first)
    local ring, size = c.ring, c.ringSize or 0
    if size >= RING then ring, size = match(ring, '^[^,]*,(.*)$'), size - 1 end
    if size > 0 then entry = ring .. ',' .. entry end
    call('HSET', s.record, 'p' .. A[at], A[at + 1] .. ' ' .. int(seq + count - 1) .. ' ' .. (size + 1) .. ' ' .. entry)
  end
  if not c.ids then return end
  local added = s.added or {}
  for e = c.events, c.writes - 1, 5 do
    if A[e + 4] ~= '' then
      local value = int(first + (e - c.events) / 5) .. A[e + 4]
      s.known[A[e + 3]] = value
      local n = #added
      added[n + 1], added[n + 2] = A[e + 3], value
    end
  end
  s.added = added
end

local function write(s, c)
  for w = c.writes, c.deadlines - 1, 3 do
    if A[w + 1] == '1' then call('HSET', s.record, 'f' .. A[w], A[w + 2]) else call('HDEL', s.record, 'f' .. A[w]) end
  end
  for d = c.deadlines, c.done - 1, 2 do
    local name, member = 'd' .. A[d], s.id .. ' ' .. A[d]
    if A[d + 1] == '' then
      call('HDEL', s.record, name)
      call('ZREM', K[s.k + 4], member)
    else
      local at = int(now + A[d + 1])
      call('HSET', s.record, name, at)
      call('ZADD', K[s.k + 4], at, member)
    end
  end
end

local function apply(s, c)
  if not s.exists then create(s, c.epoch) end
  local first = s.head + 1
  if c.events < c.writes then
    local failed = append(s, c)
    if failed then return failed end
  end
  write(s, c)
  remember(s, c, first)
  return s.bytes
end

-- What an index still says of a session that is gone.
local function heal(s, c)
  call('ZREM', K[s.k + 5], s.id)
  for g = c.guards, c.events - 1, 4 do
    if A[g] == 'd' then call('ZREM', K[s.k + 4], s.id .. ' ' .. A[g + 1]) end
  end
end

local answers = {}
for i = 1, #commits do
  local c = commits[i]
  local s = c.s
  local answer = refusal(s, c)
  -- A commit that appends sees by its XADD that the log is lost; any other looks.
  if s.exists and (answer or c.events == c.writes) and s.head > s.floor and call('EXISTS', s.log) == 0 then
    s.exists = false
    answer = refusal(s, c)
  end
  if not answer then answer = apply(s, c) end
  if type(answer) == 'table' and answer[1] == 'missing' then heal(s, c) end
  answers[i] = answer
end

for i = 1, #sessions do
  local s = sessions[i]
  if s.added then
    local key = idKey(s, generation)
    call('HSET', key, unpack(s.added))
    if s.g1 ~= generation then
      call('PEXPIREAT', key, int((generation + 2) * span - margin))
      if s.g1 < generation then s.g1, s.g0 = generation, s.g1 else s.g0 = math.max(s.g0, generation) end
      s.changed = true
    end
  end
  if s.changed then
    call('HSET', s.record, '.', format('%s %d %s %d %d %d %d', s.epoch, s.head, s.tag, s.last, s.bytes, s.g1, s.g0))
  end
  if s.entries then
    local wake = format('C %s %s %d %d', instance, s.epoch, s.woken, s.head)
    if s.hintBytes <= HINT_BYTES then wake = wake .. '\30' .. table.concat(s.entries, '\30') end
    call(publish, s.channel, wake)
  end
end
local reply = { now, starts, answers }
call('SET', K[1], cmsgpack.pack({ sequence, reply }), 'PX', KEEP_ANSWERS_MS)
return reply
