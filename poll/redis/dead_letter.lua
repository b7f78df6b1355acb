-- Moves one entry that cannot be read to the dead letters, as it is, with the reason. An entry that is not there any more was
-- moved already, and is only acknowledged.
-- The copy is made first: when Redis is out of memory that fails, and nothing has changed.
-- KEYS[1] stream; KEYS[2] stream of dead letters; ARGV[1] group; ARGV[2] ID of the entry; ARGV[3] reason.
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])
local moved = 0
if #found == 1 then
  local fields = found[1][2]
  for first = 1, #fields, 1000 do
    -- An entry of more than 500 fields becomes several, each with the same "entry".
    redis.call('XADD', KEYS[2], '*', 'entry', ARGV[2], 'reason', ARGV[3],
      unpack(fields, first, math.min(first + 999, #fields)))
  end
  redis.call('XDEL', KEYS[1], ARGV[2])
  moved = 1
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return moved
