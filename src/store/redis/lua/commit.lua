#!lua
-- A batch of commits, in order, each atomic and each answered by itself. [DESIGN 3]
--
-- KEYS: 1            the kept answer of this place in the caller's window
--       then, for each session of the batch: record, log, even ids, odd ids, due, index
-- ARGV: instance, sequence number of the batch, PUBLISH or SPUBLISH, dedupe window in ms, number of sessions,
--       for each session: its id, its channel; then the commits, one after another:
--         session's number, epoch ('' : must exist),
--         0 | 1, producer id, epoch, seq, count
--         guards n,    then: f | d, name, 0 | 1, value     (0: absent)
--         events n,    then: tag, crc, body, 0 | 1, id, fingerprint
--         writes n,    then: name, 0 | 1, value            (0: remove)
--         deadlines n, then: name, ms from now ('' : clear)
-- Returns an array with an answer for each commit:
--         'C <first> <last> <prev> <tag> <at> <floor> <bytes> <epoch>'
--         { 'missing' }, { 'exists' }, { 'fenced', epoch }, { 'gap', expected },
--         { 'replayed', epoch, count, ranges }, { 'duplicate', epoch, id, answer, … },
--         { 'conflict', f | d, name, 0 | 1, value, … }, { 'failed', text }
--
-- The answers are kept for a while under the batch's number. A batch that comes again, because its answer was lost on
-- the way, gets the same answers and changes nothing; one that comes late, after younger ones, is refused.
--
-- Without OOM, READONLY and the like, which Redis checks before a script of this kind begins, only XADD could fail: it is the
-- first write of a commit, and a commit where it fails changes nothing.

local call, format = redis.call, string.format
local HINT_BYTES, KEEP_ANSWERS_MS, RING = 16384, 120000, 16

local instance, sequence, publish, window = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local kept = call('GET', KEYS[1])
if kept then
  kept = cmsgpack.unpack(kept)
  if kept[1] == sequence then
    call('PEXPIRE', KEYS[1], KEEP_ANSWERS_MS) -- a write, so that a WAIT behind it covers the first attempt's
    return kept[2]
  end
  if kept[1] > sequence then return redis.error_reply('STALE this batch comes late') end
end

local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local p = 5 + 1
local sessions = {}
for i = 1, tonumber(ARGV[5]) do
  sessions[i] = { key = 2 + (i - 1) * 6, id = ARGV[p], channel = ARGV[p + 1] }
  p = p + 2
end

local function broken(s)
  return s.head > s.floor and call('EXISTS', s.log) == 0
end

-- The state is read once and written once a batch; what is in between stands in the table.
local function load(s)
  s.loaded = true
  s.record, s.log = KEYS[s.key], KEYS[s.key + 1]
  local found = call('HMGET', s.record, '.', ',')
  if not found[1] then return end
  local epoch, head, tag, at, bytes = string.match(found[1], '^(%S+) (%d+) (%S+) (%d+) (%d+)$')
  s.exists, s.epoch, s.head, s.tag, s.at, s.bytes = true, epoch, tonumber(head), tag, tonumber(at), tonumber(bytes)
  s.floor = found[2] and tonumber(string.match(found[2], '^%d+')) or 0
end

-- Leftovers of a log that lost its record, or of a record that lost its log.
local function forget(s)
  for _, field in ipairs(call('HKEYS', s.record)) do
    if string.sub(field, 1, 1) == 'd' then call('ZREM', KEYS[s.key + 4], s.id .. ' ' .. string.sub(field, 2)) end
  end
  call('UNLINK', s.record, s.log, KEYS[s.key + 2], KEYS[s.key + 3])
end

local function checkProducer(s, c)
  local known = call('HGET', s.record, 'p' .. c.producer)
  if not known then return end
  local epoch, last, n, ring = string.match(known, '^(%d+) (%-?%d+) (%d+) (.*)$')
  epoch, last = tonumber(epoch), tonumber(last)
  if c.producerEpoch > epoch then return end
  if c.producerEpoch < epoch then return { 'fenced', format('%.0f', epoch) } end
  if c.seq > last + 1 then return { 'gap', format('%.0f', last + 1) } end
  if c.seq == last + 1 then
    c.ring, c.ringSize = ring, tonumber(n)
    return
  end
  return { 'replayed', s.epoch, format('%.0f', math.min(c.count, last - c.seq + 1)), ring }
end

local function knownIds(s, events)
  local answer
  local even, odd = KEYS[s.key + 2], KEYS[s.key + 3]
  for i = 1, #events do
    local id = events[i].id
    if id then
      local known = call('HGET', even, id) or call('HGET', odd, id)
      if known then
        answer = answer or { 'duplicate', s.epoch }
        answer[#answer + 1] = id
        answer[#answer + 1] = known
      end
    end
  end
  return answer
end

local function checkGuards(s, guards)
  local holds, answer = true, { 'conflict' }
  for i = 1, #guards do
    local g = guards[i]
    local value = s.exists and call('HGET', s.record, g.kind .. g.name) or false
    if value ~= g.value then holds = false end
    local n = #answer
    answer[n + 1], answer[n + 2], answer[n + 3], answer[n + 4] = g.kind, g.name, value and '1' or '0', value or ''
  end
  if not holds then return answer end
end

local function refusal(s, c)
  if not s.exists and c.epoch == '' then return { 'missing' } end
  if s.exists and c.epoch ~= '' then return { 'exists' } end
  if not s.exists then return c.guards and checkGuards(s, c.guards) end
  return (c.producer and checkProducer(s, c)) or knownIds(s, c.events) or (c.guards and checkGuards(s, c.guards))
end

local function append(s, events, at)
  local texts, prev, bytes = s.texts or {}, s.tag, s.bytes
  for i = 1, #events do
    local e = events[i]
    local serial = format('%.0f', s.head + i)
    local text = '{"serial":' .. serial .. ',"tag":"' .. e.tag .. '","prev":"' .. prev .. '","at":' .. at .. ',' .. e.body
    -- A log that ought to be there is not made anew: its events are gone, and so is its epoch.
    local done
    if i == 1 and s.head > s.floor then
      done = redis.pcall('XADD', s.log, 'NOMKSTREAM', serial .. '-0', 'e', e.crc .. text)
      if not done then
        s.exists = false
        return { 'missing' }
      end
    else
      done = redis.pcall('XADD', s.log, serial .. '-0', 'e', e.crc .. text)
    end
    if type(done) == 'table' and done.err then return { 'failed', done.err } end
    prev, bytes = e.tag, bytes + #text
    texts[#texts + 1] = text
  end
  s.firstWoken = s.firstWoken or s.head + 1
  s.texts, s.tag, s.bytes, s.head = texts, prev, bytes, s.head + #events
end

local function remember(s, c, first)
  if c.producer then
    local entry = format('%.0f:%.0f:%.0f', c.seq, c.count, first)
    local ring, size = c.ring, c.ringSize or 0
    if size >= RING then ring, size = string.match(ring, '^[^,]*,(.*)$'), size - 1 end
    ring = (ring and ring ~= '') and (ring .. ',' .. entry) or entry
    call('HSET', s.record, 'p' .. c.producer,
      format('%.0f %.0f %d ', c.producerEpoch, c.seq + c.count - 1, size + 1) .. ring)
  end
  local generation = math.floor(now / window)
  local key = KEYS[s.key + 2 + generation % 2]
  for i = 1, #c.events do
    local e = c.events[i]
    if e.id then
      call('HSET', key, e.id, format('%.0f ', first + i - 1) .. e.fingerprint)
      s.remembered = key
    end
  end
  if s.remembered then s.expires = format('%.0f', (generation + 2) * window) end
end

local function write(s, c)
  for i = 1, #c.writes do
    local w = c.writes[i]
    if w.value then call('HSET', s.record, 'f' .. w.name, w.value) else call('HDEL', s.record, 'f' .. w.name) end
  end
  local due = KEYS[s.key + 4]
  for i = 1, #c.deadlines do
    local d = c.deadlines[i]
    if d.after then
      local at = format('%.0f', now + d.after)
      call('HSET', s.record, 'd' .. d.name, at)
      call('ZADD', due, at, s.id .. ' ' .. d.name)
    else
      call('HDEL', s.record, 'd' .. d.name)
      call('ZREM', due, s.id .. ' ' .. d.name)
    end
  end
end

local function apply(s, c)
  if not s.exists then
    forget(s)
    s.exists, s.epoch, s.head, s.tag, s.at, s.bytes, s.floor = true, c.epoch, 0, '--------', 0, 0, 0
    call('ZADD', KEYS[s.key + 5], 0, s.id)
  end
  local at = math.max(now, s.at)
  local atText = format('%.0f', at)
  local first, prev = s.head + 1, s.tag
  if #c.events > 0 then
    local failed = append(s, c.events, atText)
    if failed then return failed end
    s.at = at
  end
  s.changed = s.changed or c.epoch ~= '' or #c.events > 0
  write(s, c)
  remember(s, c, first)
  return format('C %.0f %.0f %s %s %s %.0f %.0f %s', first, s.head, prev, s.tag, atText, s.floor, s.bytes, s.epoch)
end

local NONE = {}
local function parse()
  local c = { session = tonumber(ARGV[p]), epoch = ARGV[p + 1], events = NONE, writes = NONE, deadlines = NONE }
  p = p + 2
  if ARGV[p] == '1' then
    c.producer, c.producerEpoch = ARGV[p + 1], tonumber(ARGV[p + 2])
    c.seq, c.count = tonumber(ARGV[p + 3]), tonumber(ARGV[p + 4])
    p = p + 4
  end
  local n = tonumber(ARGV[p + 1])
  p = p + 2
  if n > 0 then c.guards = {} end
  for i = 1, n do
    c.guards[i] = { kind = ARGV[p], name = ARGV[p + 1], value = ARGV[p + 2] == '1' and ARGV[p + 3] }
    p = p + 4
  end
  n, p = tonumber(ARGV[p]), p + 1
  if n > 0 then c.events = {} end
  for i = 1, n do
    local e = { tag = ARGV[p], crc = ARGV[p + 1], body = ARGV[p + 2] }
    if ARGV[p + 3] == '1' then
      e.id, e.fingerprint = ARGV[p + 4], ARGV[p + 5]
      p = p + 2
    end
    c.events[i], p = e, p + 4
  end
  n, p = tonumber(ARGV[p]), p + 1
  if n > 0 then c.writes = {} end
  for i = 1, n do
    c.writes[i], p = { name = ARGV[p], value = ARGV[p + 1] == '1' and ARGV[p + 2] }, p + 3
  end
  n, p = tonumber(ARGV[p]), p + 1
  if n > 0 then c.deadlines = {} end
  for i = 1, n do
    c.deadlines[i], p = { name = ARGV[p], after = ARGV[p + 1] ~= '' and tonumber(ARGV[p + 1]) }, p + 2
  end
  return c
end

-- What an index still says of a session that is gone.
local function heal(s, c)
  call('ZREM', KEYS[s.key + 5], s.id)
  local due = KEYS[s.key + 4]
  for i = 1, #(c.guards or NONE) do
    if c.guards[i].kind == 'd' then call('ZREM', due, s.id .. ' ' .. c.guards[i].name) end
  end
  for i = 1, #c.deadlines do call('ZREM', due, s.id .. ' ' .. c.deadlines[i].name) end
end

local answers = {}
while p <= #ARGV do
  local c = parse()
  local s = sessions[c.session]
  if not s.loaded then load(s) end
  local answer = refusal(s, c)
  -- A commit that appends sees a lost log by its XADD; any other looks.
  if s.exists and (answer or #c.events == 0) and broken(s) then
    s.exists = false
    answer = refusal(s, c)
  end
  if not answer then answer = apply(s, c) end
  if type(answer) == 'table' and answer[1] == 'missing' then heal(s, c) end
  answers[#answers + 1] = answer
end

for i = 1, #sessions do
  local s = sessions[i]
  if s.changed then
    call('HSET', s.record, '.', format('%s %.0f %s %.0f %.0f', s.epoch, s.head, s.tag, s.at, s.bytes))
  end
  if s.remembered then call('PEXPIREAT', s.remembered, s.expires) end
  if s.texts then
    local wake = format('C %s %s %.0f %.0f', instance, s.epoch, s.firstWoken, s.head)
    local hint = table.concat(s.texts, '\30')
    if #hint <= HINT_BYTES then wake = wake .. '\30' .. hint end
    call(publish, s.channel, wake)
  end
end
call('SET', KEYS[1], cmsgpack.pack({ sequence, answers }), 'PX', KEEP_ANSWERS_MS)
return answers
