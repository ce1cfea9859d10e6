#!lua
-- A batch of commits, in order, each atomic and each answered by itself. [DESIGN 3]
--
-- KEYS: 1            the kept answer of this place in the caller's window
--       then, for each session of the batch: record, log; even ids, odd ids where it is marked 2; due, index where it is marked 4
-- ARGV: instance, sequence number of the batch, publish or spublish, length of a generation of ids in ms, its margin in ms,
--       number of sessions; for each session: its channel, its mark (the sum of 1: the caller listens to it, 2 and 4: see KEYS),
--       its id where it is marked 4; then the commits, one after another:
--         session's number, form, epoch              (if it creates; else it must exist)
--         producer: id, epoch, seq, count
--         guard:    = and field, value               or - and field: absent. A field is f | d and its name
--         event:    tag and crc, body                and id, fingerprint ('' : no id to remember; else '+' and what it is)
--         write:    = and field, value               or - and field: remove
--         deadline: name, ms from now                ('' : clear)
--       where the form says '<creates> <producers> <arguments of guards> <events> <0 | 1: with ids> <arguments of writes> <deadlines>'
-- Returns { now, { for each session '' or its record's `.` and, after a space, `,` as they were before }, { for each commit an answer } }:
--         the bytes of the log after it, a number, where it was carried out: the caller adds up the rest; else
--         { 'missing' }, { 'exists' }, { 'fenced', epoch }, { 'gap', expected },
--         { 'replayed', epoch, count, ranges }, { 'duplicate', epoch, id, remembered, … },
--         { 'conflict', f | d, name, 0 | 1, value, … }, { 'failed', text }
--
-- The answers are kept for a while under the batch's number. A batch that comes again, because its answer was lost on
-- the way, gets the same answers and changes nothing; one that comes late, after younger ones, is refused.
--
-- What of a session is needed is read once, kept in its table, and written at the end. OOM, READONLY and the like are checked by
-- Redis before a script of this kind begins; so only XADD could fail, and it is the first write of its commit. A command that was
-- withdrawn from our user since the start ends the script where it stands: `drop` heals what that leaves.
--
-- What is long is made once: Lua here hashes every byte of every new string.
--
-- Ids are remembered in generations, by the clock: one hash for even ones, one for odd ones, each with its own end. An id lives for at
-- least one generation less the margin; `g1` and `g0` are the last two generations that were written, so that no hash is asked in vain.

local call, pcall, format, match, sub, byte = redis.call, redis.pcall, string.format, string.match, string.sub, string.byte
local HINT_BYTES, KEEP_ANSWERS_MS, RING, SPREAD = 65536, '120000', 16, 2000
local DROP_EVENTS, DROP_BYTES = 200000, 67108864
local IS = byte('=')
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

-- The sessions, in order and by their numbers as text. Every field is named at once: a table that grows one by one is laid out anew each time.
local sessions, numbered, p = {}, {}, 7
do
  local k = 2
  for i = 1, tonumber(A[6]) do
    local mark = tonumber(A[p + 1])
    local places = mark >= 4
    local ids = mark % 4 >= 2
    local other = ids and k + 4 or k + 2
    local s = {
      record = K[k], log = K[k + 1], ids = ids and k + 2, due = places and K[other], index = places and K[other + 1],
      id = places and A[p + 2], channel = A[p], listens = mark % 2, exists = false, epoch = false, head = 0, tag = false,
      last = 0, at = 0, links = false, bytes = 0, floor = 0, g1 = 0, g0 = 0, changed = false, entries = false, woken = 0,
      hintBytes = 0, fields = { '.', ',' }, values = {}, written = false, known = false, asked = false, added = false,
    }
    sessions[i], numbered[int(i)] = s, s
    k, p = places and other + 2 or other, places and p + 3 or p + 2
  end
end

-- Where the parts of a commit stand, counted from its first argument. Most commits of a batch have the same form.
local forms = {}
local function parse(text)
  local creates, producers, guards, events, ids, writes, deadlines = match(text, '^(%d) (%d) (%d+) (%d+) (%d) (%d+) (%d+)$')
  local f = { creates = creates == '1', producer = producers == '1' and 2 + creates, ids = ids == '1', step = 2 + 2 * ids }
  f.guards = 2 + creates + 4 * producers
  f.events = f.guards + guards
  f.writes = f.events + f.step * events
  f.deadlines = f.writes + writes
  f.done = f.deadlines + 2 * deadlines
  f.guarded, f.appends, f.writing = f.guards < f.events, f.events < f.writes, f.writes < f.done
  forms[text] = f
  return f
end

local function ask(s, field)
  if s.values[field] == nil then
    s.values[field] = false
    s.fields[#s.fields + 1] = field
  end
end

-- A first walk over the commits finds what has to be known of their sessions.
local first = p
while p <= #A do
  local s, f = numbered[A[p]], forms[A[p + 1]] or parse(A[p + 1])
  local g, events = p + f.guards, p + f.events
  while g < events do
    ask(s, sub(A[g], 2))
    g = g + (byte(A[g]) == IS and 2 or 1)
  end
  if f.producer then ask(s, 'p' .. A[p + f.producer]) end
  if f.ids then
    local asked = s.asked or {}
    for e = events, p + f.writes - 1, 4 do
      if A[e + 3] ~= '' then asked[#asked + 1] = A[e + 2] end
    end
    s.asked = asked
  end
  p = p + f.done
end

local function idKey(s, g) return K[s.ids + g % 2] end

-- A command over a list that may be longer than what Lua passes at once.
local function spread(command, key, list)
  for i = 1, #list, SPREAD do call(command, key, unpack(list, i, math.min(i + SPREAD - 1, #list))) end
end

local function recall(s, g)
  for from = 1, #s.asked, SPREAD do
    local found = call('HMGET', idKey(s, g), unpack(s.asked, from, math.min(from + SPREAD - 1, #s.asked)))
    for i = 1, #found do
      if found[i] then s.known[s.asked[from + i - 1]] = found[i] end
    end
  end
end

-- @returns what the caller is told of the session
local function load(s)
  local fields = s.fields
  local found = call('HMGET', s.record, unpack(fields, 1, math.min(SPREAD, #fields)))
  for from = SPREAD + 1, #fields, SPREAD do
    local more = call('HMGET', s.record, unpack(fields, from, math.min(from + SPREAD - 1, #fields)))
    for i = 1, #more do found[from + i - 1] = more[i] end
  end
  s.known = s.asked and {}
  local record, floor = found[1], found[2]
  if not record then return '' end
  local epoch, head, tag, last, bytes, g1, g0 = match(record, '^(%S+) (%d+) (%S+) (%d+) (%d+) (%d+) (%d+)$')
  s.exists, s.epoch, s.head, s.tag, s.bytes = true, epoch, tonumber(head), tag, tonumber(bytes)
  s.last, s.g1, s.g0 = tonumber(last), tonumber(g1), tonumber(g0)
  if now > s.last then s.at = now else s.at, s.links = s.last, '","at":' .. last .. ',' end
  for i = 3, #fields do s.values[fields[i]] = found[i] end
  if s.asked then
    local back = s.g1 > generation -- the clock was set back
    if s.g1 == generation or back then recall(s, generation) end
    if s.g1 == generation - 1 or s.g0 == generation - 1 or back then recall(s, generation - 1) end
  end
  if not floor then return record end
  s.floor = tonumber(match(floor, '^%d+'))
  return record .. ' ' .. floor
end

local starts, nowLinks = {}, '","at":' .. nowText .. ','
for i = 1, #sessions do
  local s = sessions[i]
  s.links = nowLinks
  starts[i] = load(s)
end

-- To be written at the end; false: to be removed.
local function set(s, field, value)
  local written = s.written or {}
  s.values[field], written[field], s.written = value, true, written
end

local function checkProducer(s, at)
  local known = s.values['p' .. A[at]]
  if not known then return end
  local epoch, last = match(known, '^(%d+) (%-?%d+)')
  epoch, last = tonumber(epoch), tonumber(last)
  local claimed, seq, count = tonumber(A[at + 1]), tonumber(A[at + 2]), tonumber(A[at + 3])
  if claimed > epoch then return end
  if claimed < epoch then return { 'fenced', int(epoch) } end
  if seq > last + 1 then return { 'gap', int(last + 1) } end
  if seq < last + 1 then
    return { 'replayed', s.epoch, int(math.min(count, last - seq + 1)), match(known, '(%S*)$') }
  end
end

local function checkIds(s, e, writes)
  local answer
  for e = e, writes - 1, 4 do
    local known = A[e + 3] ~= '' and s.known[A[e + 2]]
    if known then
      answer = answer or { 'duplicate', s.epoch }
      answer[#answer + 1] = A[e + 2]
      answer[#answer + 1] = known
    end
  end
  return answer
end

local function conflict(s, g, events)
  local answer = { 'conflict' }
  while g < events do
    local field, n = sub(A[g], 2), #answer
    local value = s.values[field] or false
    answer[n + 1], answer[n + 2], answer[n + 3], answer[n + 4] = sub(field, 1, 1), sub(field, 2), value and '1' or '0', value or ''
    g = g + (byte(A[g]) == IS and 2 or 1)
  end
  return answer
end

local function checkGuards(s, from, events)
  local values, g = s.values, from
  while g < events do
    local value = values[sub(A[g], 2)]
    if byte(A[g]) == IS then
      if value ~= A[g + 1] then return conflict(s, from, events) end
      g = g + 2
    else
      if value then return conflict(s, from, events) end
      g = g + 1
    end
  end
end

local function refusal(s, f, p)
  local answer
  if s.exists then
    if f.creates then return { 'exists' } end
    if f.producer then answer = checkProducer(s, p + f.producer) end
    if not answer and f.ids then answer = checkIds(s, p + f.events, p + f.writes) end
  elseif not f.creates then
    return { 'missing' }
  end
  if not answer and f.guarded then answer = checkGuards(s, p + f.guards, p + f.events) end
  return answer
end

local function lose(s)
  s.exists, s.values = false, {}
end

-- Makes a session, over what may be left of a log that lost its record, or of a record that lost its log.
local function create(s, epoch)
  for _, field in ipairs(call('HKEYS', s.record)) do
    if sub(field, 1, 1) == 'd' then call('ZREM', s.due, s.id .. ' ' .. sub(field, 2)) end
  end
  call('UNLINK', s.record, s.log, K[s.ids], K[s.ids + 1])
  call('ZADD', s.index, '0', s.id)
  s.exists, s.changed, s.values, s.written, s.known, s.added = true, true, {}, false, {}, false
  s.epoch, s.head, s.tag, s.bytes, s.floor, s.g1, s.g0 = epoch, 0, '--------', 0, 0, 0, 0
  s.at, s.links, s.last = now, nowLinks, 0
end

-- Where a script was ended between an XADD and the record, the log has events beyond the head, and takes none with their serials any more. They
-- are dropped. None was ever acknowledged: a script that was ended gave no answer, its callers hear that nobody knows, and whatever has moved the
-- head since has met them here first. None was ever read: pages end at the head, and wake-ups follow the record. Nor can it be the record that has
-- lost something: Redis keeps and replicates what one script wrote as one. What stands up to the head is written anew under its serials, for a
-- stream does not forget its last id otherwise; if that is not all there, or too long for one script, nothing is touched.
local function drop(s, refused)
  local count, kept, n = s.head - s.floor, {}, 0
  if not string.find(refused, 'equal or smaller', 1, true) or count > DROP_EVENTS or s.bytes > DROP_BYTES then return false end
  while n < count do
    local page = call('XRANGE', s.log, int(s.floor + n + 1) .. '-0', int(s.head) .. '-0', 'COUNT', SPREAD)
    if #page == 0 then return false end
    for i = 1, #page do
      n = n + 1
      if page[i][1] ~= int(s.floor + n) .. '-0' then return false end
      kept[n] = page[i][2][2]
    end
  end
  call('UNLINK', s.log)
  for i = 1, n do call('XADD', s.log, int(s.floor + i) .. '-0', 'e', kept[i]) end
  return true
end

local function append(s, f, p)
  -- The first place is for what the wake-up begins with.
  local entries, links = s.entries or { '' }, s.links
  local serial, prev, bytes, n = s.head, s.tag, s.bytes, #entries
  for e = p + f.events, p + f.writes - 1, f.step do
    serial = serial + 1
    local tag, id = sub(A[e], 1, 8), format('%d', serial)
    local entry = sub(A[e], 9) .. '{"serial":' .. id .. ',"tag":"' .. tag .. '","prev":"' .. prev .. links .. A[e + 1]
    local done
    if s.head > s.floor and serial == s.head + 1 then
      -- A log that ought to be there is not made anew: its events are gone, and so is its epoch.
      done = pcall('XADD', s.log, 'NOMKSTREAM', id .. '-0', 'e', entry)
      if not done then
        lose(s)
        return { 'missing' }
      end
    else
      done = pcall('XADD', s.log, id .. '-0', 'e', entry)
    end
    if type(done) == 'table' and done.err then
      if not drop(s, done.err) then return { 'failed', done.err } end
      call('XADD', s.log, id .. '-0', 'e', entry)
    end
    n = n + 1
    prev, bytes, entries[n] = tag, bytes + #entry - 8, entry
  end
  if not s.entries then s.woken = s.head + 1 end
  s.entries, s.changed, s.last = entries, true, s.at
  s.hintBytes = s.hintBytes + bytes - s.bytes
  s.head, s.tag, s.bytes = serial, prev, bytes
end

local function remember(s, f, p, first)
  if f.producer then
    local at = p + f.producer
    local field, seq, count = 'p' .. A[at], A[at + 2], A[at + 3]
    local entry, size = seq .. ':' .. count .. ':' .. int(first), 0
    local known = s.values[field]
    local epoch, of, ring = match(known or '', '^(%d+) %-?%d+ (%d+) (.*)$')
    if epoch == A[at + 1] then
      size = tonumber(of)
      if size >= RING then ring, size = match(ring, '^[^,]*,(.*)$'), size - 1 end
      if size > 0 then entry = ring .. ',' .. entry end
    end
    set(s, field, A[at + 1] .. ' ' .. int(seq + count - 1) .. ' ' .. (size + 1) .. ' ' .. entry)
  end
  if not f.ids then return end
  local added, serial = s.added or {}, first
  for e = p + f.events, p + f.writes - 1, 4 do
    if A[e + 3] ~= '' then
      local value = int(serial) .. A[e + 3]
      s.known[A[e + 2]] = value
      local n = #added
      added[n + 1], added[n + 2] = A[e + 2], value
    end
    serial = serial + 1
  end
  s.added = added
end

local function write(s, f, p)
  local w, deadlines = p + f.writes, p + f.deadlines
  while w < deadlines do
    local field = sub(A[w], 2)
    if byte(A[w]) == IS then
      set(s, field, A[w + 1])
      w = w + 2
    else
      set(s, field, false)
      w = w + 1
    end
  end
  for d = deadlines, p + f.done - 1, 2 do
    local member = s.id .. ' ' .. A[d]
    if A[d + 1] == '' then
      set(s, 'd' .. A[d], false)
      call('ZREM', s.due, member)
    else
      local at = int(now + A[d + 1])
      set(s, 'd' .. A[d], at)
      call('ZADD', s.due, at, member)
    end
  end
end

local function apply(s, f, p)
  local made = not s.exists
  if made then create(s, A[p + 2]) end
  local first = s.head + 1
  if f.appends then
    local failed = append(s, f, p)
    if failed then
      -- Refused is without effect: a session is not there for being asked for.
      if made then
        call('ZREM', s.index, s.id)
        lose(s)
        s.changed = false
      end
      return failed
    end
  end
  if f.writing then write(s, f, p) end
  if f.producer or f.ids then remember(s, f, p, first) end
  return s.bytes
end

-- What an index still says of a session that is gone.
local function heal(s, f, p)
  if not s.index then return end
  call('ZREM', s.index, s.id)
  local g = p + f.guards
  while g < p + f.events do
    if byte(A[g], 2) == byte('d') then call('ZREM', s.due, s.id .. ' ' .. sub(A[g], 3)) end
    g = g + (byte(A[g]) == IS and 2 or 1)
  end
end

local answers = {}
p = first
while p <= #A do
  local s, f = numbered[A[p]], forms[A[p + 1]]
  local answer = refusal(s, f, p)
  -- A commit that appends sees by its XADD that the log is lost; any other looks.
  if s.exists and (answer or not f.appends) and s.head > s.floor and call('EXISTS', s.log) == 0 then
    lose(s)
    answer = refusal(s, f, p)
  end
  if not answer then answer = apply(s, f, p) end
  if type(answer) == 'table' and answer[1] == 'missing' then heal(s, f, p) end
  answers[#answers + 1] = answer
  p = p + f.done
end

local function store(s)
  if s.added then
    local key = idKey(s, generation)
    local anew = s.g1 ~= generation and int((generation + 2) * span - margin)
    -- Does nothing yet. Were it refused only once there are ids, they would be remembered for events that never stood.
    if anew then call('PEXPIREAT', key, anew) end
    spread('HSET', key, s.added)
    if anew then
      call('PEXPIREAT', key, anew)
      if s.g1 < generation then s.g1, s.g0 = generation, s.g1 else s.g0 = math.max(s.g0, generation) end
      s.changed = true
    end
  end
  local pairsToSet, gone = {}, {}
  if s.changed then
    pairsToSet[1] = '.'
    pairsToSet[2] = format('%s %d %s %d %d %d %d', s.epoch, s.head, s.tag, s.last, s.bytes, s.g1, s.g0)
  end
  for field in pairs(s.written or {}) do
    local value = s.values[field]
    if value then
      local n = #pairsToSet
      pairsToSet[n + 1], pairsToSet[n + 2] = field, value
    else
      gone[#gone + 1] = field
    end
  end
  spread('HSET', s.record, pairsToSet)
  spread('HDEL', s.record, gone)
end

-- The events go along where somebody else listens; the caller tells its own listeners by itself. Even so something is always published: who
-- is counted may be another than the caller thinks. Where counting is not allowed, somebody else listens.
local counting = publish == 'spublish' and 'SHARDNUMSUB' or 'NUMSUB'
local function wake(s)
  local hint = format('C %s %s %d %d', instance, s.epoch, s.woken, s.head)
  if s.hintBytes <= HINT_BYTES and (pcall('PUBSUB', counting, s.channel)[2] or 2) > s.listens then
    s.entries[1] = hint
    hint = table.concat(s.entries, '\30')
  end
  -- A wake-up may be lost; what is written by now must not be given up for it, half done, where the user has no right to the channel.
  pcall(publish, s.channel, hint)
end

for i = 1, #sessions do
  local s = sessions[i]
  if s.changed or s.written or s.added then store(s) end
  if s.entries then wake(s) end
end
local reply = { now, starts, answers }
call('SET', K[1], cmsgpack.pack({ sequence, reply }), 'PX', KEEP_ANSWERS_MS)
return reply
