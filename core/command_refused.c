/*
 * command_refused: one small table, a reason and the names that it is for.
 */
#include "command_refused.h"

/* why; whether that is all to be said, or the name follows; names */
static const struct refusal {
    const char *why;
    bool whole;
    const char *names;
} refusals[] = {
    { "Cofre stores strings only", false,
      "blmove blmpop blpop brpop brpoplpush lindex linsert llen lmove lmpop lpop lpos lpush lpushx "
      "lrange lrem lset ltrim rpop rpoplpush rpush rpushx "
      "sadd scard sdiff sdiffstore sinter sintercard sinterstore sismember smembers smismember smove "
      "spop srandmember srem sscan sunion sunionstore "
      "hdel hexists hexpire hexpireat hexpiretime hget hgetall hgetdel hgetex hincrby hincrbyfloat "
      "hkeys hlen hmget hmset hpersist hpexpire hpexpireat hpexpiretime hpttl hrandfield hscan hset "
      "hsetex hsetnx hstrlen httl hvals "
      "bzmpop bzpopmax bzpopmin zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard "
      "zinterstore zlexcount zmpop zmscore zpopmax zpopmin zrandmember zrange zrangebylex "
      "zrangebyscore zrangestore zrank zrem zremrangebylex zremrangebyrank zremrangebyscore zrevrange "
      "zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore "
      "xack xackdel xadd xautoclaim xclaim xdel xdelex xgroup xinfo xlen xpending xrange xread "
      "xreadgroup xrevrange xsetid xtrim "
      "geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro "
      "geosearch geosearchstore" },
    { "Cofre runs no scripts, on purpose", false,
      "eval eval_ro evalsha evalsha_ro fcall fcall_ro function script" },
    { "PostgreSQL does the replication, on purpose", false,
      "failover psync replconf replicaof slaveof sync" },
    { "every write that was answered is saved already, on purpose", false,
      "bgrewriteaof bgsave save" },
    { "Cofre loads no modules, on purpose", false, "module" },
    { "a client cannot stop Cofre, on purpose", false, "shutdown" },
    { "Cofre opens no connection to other servers, on purpose", false, "migrate" },
    /* What Redis says without a cluster: clients look for it. */
    { "This instance has cluster support disabled", true,
      "asking cluster readonly readwrite restore-asking" },
};

/* has_name looks for one word among words between spaces. */
static bool has_name(const char *names, struct slice name)
{
    for (const char *end; *names != '\0'; names = *end == ' ' ? end + 1 : end) {
        end = names;
        while (*end != '\0' && *end != ' ') {
            end++;
        }
        if (slice_eq_nocase(name,
                            (struct slice){ (const uint8_t *)names, (size_t)(end - names) })) {
            return true;
        }
    }
    return false;
}

bool command_refused_in_multi(struct slice name)
{
    return has_name("bgrewriteaof bgsave failover psync replconf save shutdown sync", name);
}

static int shown(struct slice s)
{
    return s.len < 64 ? (int)s.len : 64;
}

bool command_reply_refused(struct slice name, struct slice sub, struct resp_writer *reply)
{
    size_t i = 0;
    while (i < ARRAY_SIZE(refusals) && !has_name(refusals[i].names, name)) {
        i++;
    }
    if (i == ARRAY_SIZE(refusals)) {
        return false;
    }
    if (refusals[i].whole) {
        resp_error(reply, "ERR %s", refusals[i].why);
    } else if (sub.len == 0) {
        resp_error(reply, "ERR %s: '%.*s' is not available", refusals[i].why, shown(name),
                   (const char *)name.p);
    } else {
        resp_error(reply, "ERR %s: '%.*s|%.*s' is not available", refusals[i].why, shown(name),
                   (const char *)name.p, shown(sub), (const char *)sub.p);
    }
    return true;
}
