"""The scripts that run inside Redis: each compares event times and writes in one indivisible step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Script:
    """A Lua script and the SHA-1 by which Redis knows it once it has been loaded."""

    lua: str

    @property
    def sha(self) -> str:
        return hashlib.sha1(self.lua.encode(), usedforsecurity=False).hexdigest()


# KEYS[i] with ARGV[2i-1] = packed value (serving/stores/packing.py), ARGV[2i] = seconds to live.
PUT_IF_NOT_OLDER = Script("""
for i = 1, #KEYS do
  local value = ARGV[2 * i - 1]
  local held = redis.call('GETRANGE', KEYS[i], 0, 7)
  if #held < 8 or struct.unpack('>I8', held) <= struct.unpack('>I8', value) then
    redis.call('SET', KEYS[i], value, 'EX', ARGV[2 * i])
  end
end
""")

# KEYS[1] = sorted set of one user. ARGV: seconds to live, how many to keep, window in ms,
# then for each decision its event time, the prefix that names it, and the whole member (which starts with it).
ADD_RECENT = Script("""
local key = KEYS[1]
for i = 4, #ARGV, 3 do
  local prefix = ARGV[i + 1]
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, ARGV[i], ARGV[i])) do
    if string.sub(member, 1, #prefix) == prefix then redis.call('ZREM', key, member) end
  end
  redis.call('ZADD', key, ARGV[i], ARGV[i + 2])
end
redis.call('ZREMRANGEBYRANK', key, 0, -(ARGV[2] + 1))
local newest = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. string.format('%.0f', newest[2] - ARGV[3]))
redis.call('EXPIRE', key, ARGV[1])
""")

# KEYS[1] = hash of the marker. ARGV: newest event time, wall time of the write, both in ms.
MARK = Script("""
for i, field in ipairs({'event_time_ms', 'written_ms'}) do
  local held = tonumber(redis.call('HGET', KEYS[1], field) or '-1')
  if tonumber(ARGV[i]) > held then redis.call('HSET', KEYS[1], field, ARGV[i]) end
end
""")

SCRIPTS = (PUT_IF_NOT_OLDER, ADD_RECENT, MARK)
