namespace Session.Orleans.Storage;

/// <summary>
/// The atomic steps of the mailbox log. KEYS[1] is always the index. Offsets are those of <see cref="IndexEntry"/>, counted from 1.
/// <para>
/// The version starts from the client's clock and not from 1: a mailbox that has wholly expired and begins anew can then never reach a
/// version that an old activation remembers. Keys are given a time to live rather than a date, so only differences of the callers' clock
/// matter, and a life is only ever made longer (GT), because another writer may know of a later message.
/// </para>
/// <para>The sequence is packed in two halves, because Garnet's <c>struct.pack</c> writes zeros for the upper half of an <c>i8</c>.</para>
/// </summary>
internal static class Scripts
{
    /// <summary>
    /// KEYS: index, payload, payloads to remove. ARGV: 1 hash, 2 entry head, 3 expiry, 4 latest sweep, 5 time to live, 6 first version,
    /// 7 data, 8 entry tail, 9.. hashes to remove. Returns the new version, which is also the sequence, or for a duplicate
    /// {before, after, sequence, timestamp, expiry}.
    /// </summary>
    public static readonly Script Append = new("""
        local old = redis.call('HGET', KEYS[1], ARGV[1])
        if old then
          local expiry = struct.unpack('<i8', old, 12)
          if expiry > tonumber(ARGV[4]) then
            local before = tonumber(redis.call('HGET', KEYS[1], 'v'))
            local changed = false
            local wanted = tonumber(ARGV[3])
            if string.sub(old, 32) ~= ARGV[8] then
              redis.call('HSET', KEYS[1], ARGV[1], string.sub(old, 1, 31) .. ARGV[8])
              changed = true
            end
            if wanted > expiry then
              expiry = wanted
              redis.call('HSET', KEYS[1], ARGV[1], string.sub(old, 1, 11) .. string.sub(ARGV[2], 12, 19) .. string.sub(old, 20, 31) .. ARGV[8])
              redis.call('PEXPIRE', KEYS[2], ARGV[5])
              redis.call('PEXPIRE', KEYS[1], ARGV[5], 'GT')
              changed = true
            end
            for i = 3, #KEYS do
              local other = redis.call('HGET', KEYS[1], ARGV[i + 6])
              if other then
                redis.call('HDEL', KEYS[1], ARGV[i + 6])
                redis.call('DEL', KEYS[i])
                if struct.unpack('<i8', other, 12) > tonumber(ARGV[4]) then changed = true end
              end
            end
            local after = before
            if changed then after = redis.call('HINCRBY', KEYS[1], 'v', 1) end
            return {before, after, struct.unpack('<i8', old, 24), struct.unpack('<i8', old, 4), expiry}
          end
        end
        local version = redis.call('HINCRBY', KEYS[1], 'v', 1)
        local fresh = version == 1
        if fresh then
          version = tonumber(ARGV[6])
          redis.call('HSET', KEYS[1], 'v', ARGV[6])
        end
        local entry = ARGV[2] .. struct.pack('<I4I4', version % 4294967296, math.floor(version / 4294967296)) .. ARGV[8]
        redis.call('HSET', KEYS[1], ARGV[1], entry)
        if fresh then
          redis.call('PEXPIRE', KEYS[1], ARGV[5])
        else
          redis.call('PEXPIRE', KEYS[1], ARGV[5], 'GT')
        end
        redis.call('SET', KEYS[2], ARGV[7], 'PX', ARGV[5])
        for i = 3, #KEYS do
          redis.call('DEL', KEYS[i])
          redis.call('HDEL', KEYS[1], ARGV[i + 6])
        end
        return version
        """);

    /// <summary>
    /// KEYS: index, payloads. ARGV: 1 latest sweep, 2.. hashes. Returns {before, after, one digit 0 or 1 per hash}.
    /// </summary>
    public static readonly Script Remove = new("""
        local before = tonumber(redis.call('HGET', KEYS[1], 'v') or '0')
        local sweep = tonumber(ARGV[1])
        local found, any = {}, false
        for i = 2, #ARGV do
          local old = redis.call('HGET', KEYS[1], ARGV[i])
          if old then
            redis.call('HDEL', KEYS[1], ARGV[i])
            redis.call('DEL', KEYS[i])
          end
          if old and struct.unpack('<i8', old, 12) > sweep then
            found[i - 1] = '1'
            any = true
          else
            found[i - 1] = '0'
          end
        end
        local after = before
        if any then after = redis.call('HINCRBY', KEYS[1], 'v', 1) end
        return {before, after, table.concat(found)}
        """);

    /// <summary>KEYS: index. ARGV: 1 latest sweep, 2.. hashes. Returns the number removed. Payloads end by themselves.</summary>
    public static readonly Script Prune = new("""
        local sweep, removed = tonumber(ARGV[1]), 0
        for i = 2, #ARGV do
          local old = redis.call('HGET', KEYS[1], ARGV[i])
          if old and struct.unpack('<i8', old, 12) <= sweep then
            removed = removed + redis.call('HDEL', KEYS[1], ARGV[i])
          end
        end
        return removed
        """);

    /// <summary>
    /// KEYS: index, payloads. ARGV: 1 latest sweep, 2 longest time to live, then per message: hash, expiry as 8 bytes, time to live.
    /// Returns {before, after, one digit 0 or 1 per message}.
    /// </summary>
    public static readonly Script SetExpiries = new("""
        local before = tonumber(redis.call('HGET', KEYS[1], 'v') or '0')
        local sweep = tonumber(ARGV[1])
        local found, any = {}, false
        for i = 2, #KEYS do
          local at = 3 * i - 3
          local old = redis.call('HGET', KEYS[1], ARGV[at])
          if old and struct.unpack('<i8', old, 12) > sweep then
            redis.call('HSET', KEYS[1], ARGV[at], string.sub(old, 1, 11) .. ARGV[at + 1] .. string.sub(old, 20))
            redis.call('PEXPIRE', KEYS[i], ARGV[at + 2])
            found[i - 1] = '1'
            any = true
          else
            found[i - 1] = '0'
          end
        end
        local after = before
        if any then
          redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
          after = redis.call('HINCRBY', KEYS[1], 'v', 1)
        end
        return {before, after, table.concat(found)}
        """);

    /// <summary>
    /// KEYS: index, revocations. ARGV: 1 first version, 2 time to live of the version, 3 lowest score, 4 how many to keep, 5.. tokens.
    /// Scores give the order of insertion: never below the clock, always above the last one. Returns {before, after}.
    /// </summary>
    public static readonly Script Revoke = new("""
        local version = redis.call('HINCRBY', KEYS[1], 'v', 1)
        local before = version - 1
        if version == 1 then
          version = tonumber(ARGV[1])
          redis.call('HSET', KEYS[1], 'v', ARGV[1])
          redis.call('PEXPIRE', KEYS[1], ARGV[2])
        else
          redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
        end
        local score = tonumber(ARGV[3])
        local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
        if last[2] and tonumber(last[2]) >= score then score = tonumber(last[2]) + 1 end
        for i = 5, #ARGV do
          redis.call('ZADD', KEYS[2], string.format('%.0f', score), ARGV[i])
          score = score + 1
        end
        redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[4]))
        return {before, version}
        """);

    /// <summary>
    /// KEYS: index, revocations. ARGV: 1 first version, 2 time to live of the version, 3.. tokens. Returns {before, after, number removed}.
    /// </summary>
    public static readonly Script Unrevoke = new("""
        local removed = 0
        for i = 3, #ARGV do
          removed = removed + redis.call('ZREM', KEYS[2], ARGV[i])
        end
        if removed == 0 then
          local version = tonumber(redis.call('HGET', KEYS[1], 'v') or '0')
          return {version, version, 0}
        end
        local version = redis.call('HINCRBY', KEYS[1], 'v', 1)
        local before = version - 1
        if version == 1 then
          version = tonumber(ARGV[1])
          redis.call('HSET', KEYS[1], 'v', ARGV[1])
          redis.call('PEXPIRE', KEYS[1], ARGV[2])
        else
          redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
        end
        return {before, version, removed}
        """);

    /// <summary>
    /// Puts messages where a snapshot had them, beside what is there. KEYS: index, payloads. ARGV: 1 least version, 2 time to live of the
    /// index, then per message: hash, whole entry, time to live, data. Returns the new version.
    /// </summary>
    public static readonly Script Restore = new("""
        local version = tonumber(redis.call('HGET', KEYS[1], 'v') or '0')
        local fresh = version == 0
        version = version + 1
        if version < tonumber(ARGV[1]) then version = tonumber(ARGV[1]) end
        redis.call('HSET', KEYS[1], 'v', string.format('%.0f', version))
        for i = 2, #KEYS do
          local at = 4 * i - 5
          redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
          redis.call('SET', KEYS[i], ARGV[at + 3], 'PX', ARGV[at + 2])
        end
        if fresh then
          redis.call('PEXPIRE', KEYS[1], ARGV[2])
        else
          redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
        end
        return version
        """);

    /// <summary>KEYS: revocations. ARGV: score and token of each that there shall be.</summary>
    public static readonly Script RestoreRevocations = new("""
        redis.call('DEL', KEYS[1])
        for i = 1, #ARGV, 2 do
          redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1])
        end
        return #ARGV / 2
        """);
}
