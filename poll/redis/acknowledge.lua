-- Takes entries out of the queue for good: out of the group's list of unfinished ones and out of the stream, in one
-- step, so that a crash cannot leave half of it.
-- KEYS[1] stream; ARGV[1] group; ARGV[2..] IDs of entries.
for first = 2, #ARGV, 1000 do
  local last = math.min(first + 999, #ARGV)
  redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, first, last))
  redis.call('XDEL', KEYS[1], unpack(ARGV, first, last))
end
return #ARGV - 1
