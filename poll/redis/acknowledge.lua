-- Takes entries out of the queue for good: out of the group's list of unfinished ones and out of the stream, in one
-- step, so that a crash cannot leave half of it.
--
-- Deleting one entry after the other costs Redis more than all the rest of a vote's way. But a stream is delivered in the
-- order of its IDs: if an entry was unfinished until now, every earlier one was delivered too, and unless it is still
-- unfinished it was acknowledged. So all that comes before both the last entry given here and the first unfinished one
-- can be cut off at once.
-- KEYS[1] stream; ARGV[1] group; ARGV[2..] IDs of entries, in ascending order.
local first, last = 2, #ARGV
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[last]) == 1 then
  for from = first, last - 1, 1000 do
    redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, from, math.min(from + 999, last - 1)))
  end
  local unfinished = redis.call('XPENDING', KEYS[1], ARGV[1])
  if unfinished[1] == 0 then
    redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[last])
    first = last
  else
    -- Of two IDs Redis knows best which is the earlier: a range from one to the other is empty or not.
    local earliest = unfinished[2]
    if #redis.call('XRANGE', KEYS[1], earliest, ARGV[last], 'COUNT', 1) == 0 then
      redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[last])
      first = last
    else
      redis.call('XTRIM', KEYS[1], 'MINID', '=', earliest)
    end
  end
else
  for from = first, last, 1000 do
    redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, from, math.min(from + 999, last)))
  end
end
for from = first, last, 1000 do
  redis.call('XDEL', KEYS[1], unpack(ARGV, from, math.min(from + 999, last)))
end
return #ARGV - 1
