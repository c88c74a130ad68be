/*
 * rows of the group "pubsub": messages. rows.h explains the columns; a shard channel stands where a key would.
 */
#include "rows/rows.h"

/* clang-format off */

#define SUBSCRIBING (CMD_PUBSUB | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_LOCAL | CMD_LATER | CMD_LISTENER)
#define PUBLISHING  (CMD_PUBSUB | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_LOCAL | CMD_LATER | CMD_MAY_REPLICATE)
#define ASKING      (CMD_PUBSUB | CMD_LOADING | CMD_STALE | CMD_LOCAL | CMD_LATER)

static const struct command pubsub_rows[] = {
    { "pubsub|channels", -2, ASKING, NO_KEYS, NEED_NOTHING,
      CAT_PUBSUB | CAT_SLOW, run_pubsub_channels, PLAIN,
      "Returns the channels that have subscribers", "2.8.0", "pubsub", "O(N)",
      "[pattern]" },
    { "pubsub|help", 2, CMD_LOADING | CMD_STALE | CMD_LOCAL, NO_KEYS, NEED_NOTHING,
      CAT_SLOW, run_pubsub_help, PLAIN,
      "Describes the subcommands", "6.2.0", "pubsub", "O(1)",
      "" },
    { "pubsub|numpat", 2, ASKING, NO_KEYS, NEED_NOTHING,
      CAT_PUBSUB | CAT_SLOW, run_pubsub_numpat, PLAIN,
      "Counts the patterns that have subscribers", "2.8.0", "pubsub", "O(1)",
      "" },
    { "pubsub|numsub", -2, ASKING, NO_KEYS, NEED_NOTHING,
      CAT_PUBSUB | CAT_SLOW, run_pubsub_numsub, PLAIN,
      "Counts the subscribers of channels", "2.8.0", "pubsub", "O(N)",
      "[channel [channel ...]]" },
    { "pubsub|shardchannels", -2, ASKING, NO_KEYS, NEED_NOTHING,
      CAT_PUBSUB | CAT_SLOW, run_pubsub_shardchannels, PLAIN,
      "Returns the shard channels that have subscribers", "7.0.0", "pubsub", "O(N)",
      "[pattern]" },
    { "pubsub|shardnumsub", -2, ASKING, NO_KEYS, NEED_NOTHING,
      CAT_PUBSUB | CAT_SLOW, run_pubsub_shardnumsub, PLAIN,
      "Counts the subscribers of shard channels", "7.0.0", "pubsub", "O(N)",
      "[shardchannel [shardchannel ...]]" },
};

static const struct command rows[] = {
    { "psubscribe", -2, SUBSCRIBING, NO_KEYS, NEED_NOTHING,
      CAT_PUBSUB | CAT_SLOW, run_psubscribe, PLAIN,
      "Subscribes to the channels that match patterns", "2.0.0", "pubsub", "O(N)",
      "pattern [pattern ...]" },
    { "publish", 3, PUBLISHING, NO_KEYS, NEED_NOTHING,
      CAT_PUBSUB | CAT_FAST, run_publish, PLAIN,
      "Sends a message to the subscribers of a channel", "2.0.0", "pubsub", "O(N+M)",
      "channel message" },
    { "pubsub", -2, 0, NO_KEYS, NEED_NOTHING,
      CAT_SLOW, NULL, SUBS(pubsub_rows),
      "Commands about subscriptions", "2.8.0", "pubsub", "O(1)",
      "" },
    { "punsubscribe", -1, SUBSCRIBING, NO_KEYS, NEED_NOTHING,
      CAT_PUBSUB | CAT_SLOW, run_punsubscribe, PLAIN,
      "Ends subscriptions to patterns; without one, all of them", "2.0.0", "pubsub", "O(N)",
      "[pattern [pattern ...]]" },
    { "spublish", 3, PUBLISHING, ONE_KEY, NEED_NOTHING,
      CAT_PUBSUB | CAT_FAST, run_spublish, PLAIN,
      "Sends a message to the subscribers of a shard channel", "7.0.0", "pubsub", "O(N)",
      "shardchannel message" },
    { "ssubscribe", -2, SUBSCRIBING, ALL_KEYS, NEED_NOTHING,
      CAT_PUBSUB | CAT_SLOW, run_ssubscribe, PLAIN,
      "Subscribes to shard channels", "7.0.0", "pubsub", "O(N)",
      "shardchannel [shardchannel ...]" },
    { "subscribe", -2, SUBSCRIBING, NO_KEYS, NEED_NOTHING,
      CAT_PUBSUB | CAT_SLOW, run_subscribe, PLAIN,
      "Subscribes to channels", "2.0.0", "pubsub", "O(N)",
      "channel [channel ...]" },
    { "sunsubscribe", -1, SUBSCRIBING, ALL_KEYS, NEED_NOTHING,
      CAT_PUBSUB | CAT_SLOW, run_sunsubscribe, PLAIN,
      "Ends subscriptions to shard channels; without one, all of them", "7.0.0", "pubsub", "O(N)",
      "[shardchannel [shardchannel ...]]" },
    { "unsubscribe", -1, SUBSCRIBING, NO_KEYS, NEED_NOTHING,
      CAT_PUBSUB | CAT_SLOW, run_unsubscribe, PLAIN,
      "Ends subscriptions to channels; without one, all of them", "2.0.0", "pubsub", "O(N)",
      "[channel [channel ...]]" },
};

const struct command_group rows_pubsub = { rows, ARRAY_SIZE(rows) };
