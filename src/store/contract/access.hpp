// Whose resources are, and keys for the API.
#pragma once

#include <algorithm>

#include "store/contract/contract.hpp"

namespace dg::store::contract {

using Texts = std::vector<std::string>;

TEST_P(StoreContract, WhatBelongsToAUserIsFoundByThatUserAlone) {
  const auto now = env_.clock.now();
  const auto put_thread = [&](std::optional<std::string> owner, std::string metadata = "{}") {
    domain::Thread thread{new_id(), std::move(metadata), "{}", now, now};
    thread.owner = std::move(owner);
    apply(PutThread{thread});
    return thread.id;
  };
  const auto ann = put_thread("ann");
  const auto ann_too = put_thread("ann", R"({"a":1})");
  const auto bob = put_thread("bob", R"({"a":1})");
  const auto nobody = put_thread(std::nullopt, R"({"a":1})");
  const auto threads = [&](ThreadFilter filter, Page page = {}) {
    const auto found = get(store().threads(std::move(filter), page));
    Texts out{std::to_string(found.total)};
    for (const auto& row : found.rows) out.push_back(row.thread.id);
    return out;
  };
  const auto by_id = [](ThreadFilter filter) {
    filter.sort_by = "thread_id";
    filter.descending = false;
    return filter;
  };
  EXPECT_EQ(threads(by_id({})), (Texts{"4", ann, ann_too, bob, nobody}));
  EXPECT_EQ(threads(by_id({.owner = "ann"})), (Texts{"2", ann, ann_too}));
  EXPECT_EQ(threads(by_id({.owner = "ann"}), {1, 1}), (Texts{"2", ann_too}));
  EXPECT_EQ(threads(by_id({.metadata = R"({"a":1})", .owner = "ann"})), (Texts{"1", ann_too}));
  EXPECT_EQ(threads(by_id({.ids = {ann, bob}, .owner = "bob"})), (Texts{"1", bob}));
  EXPECT_EQ(threads(by_id({.metadata = R"({"n":"\u0000"})", .owner = "ann"})), (Texts{"0"}));
  EXPECT_EQ(threads(by_id({.owner = "an"})), (Texts{"0"}));
  apply(PutCheckpoint{make_checkpoint(ann, "7")}, PutCheckpoint{make_checkpoint(bob, "7")});
  EXPECT_EQ(threads(by_id({.values = R"({"n":"7"})", .owner = "bob"})), (Texts{"1", bob}));
  EXPECT_EQ(get(store().thread(ann)).value().thread.owner, "ann");
  EXPECT_EQ(get(store().thread(nobody)).value().thread.owner, std::nullopt);
  EXPECT_EQ(get(store().thread_now(bob)).thread.value().owner, "bob");

  const auto put_run = [&](const std::string& thread, std::optional<std::string> owner) {
    auto run = make_run(thread);
    run.owner = std::move(owner);
    apply(PutRun{run});
    return run.id;
  };
  const auto anns_run = put_run(ann, "ann");
  const auto bobs_run = put_run(bob, "bob");
  const auto nobodys_run = put_run(nobody, std::nullopt);
  const auto runs = [&](RunFilter filter) {
    Texts out;
    for (const auto& run : get(store().runs(std::move(filter), {}))) out.push_back(run.id);
    return out;
  };
  EXPECT_EQ(runs({}), (Texts{nobodys_run, bobs_run, anns_run}));
  EXPECT_EQ(runs({.owner = "ann"}), (Texts{anns_run}));
  EXPECT_EQ(runs({.thread_id = bob, .owner = "bob"}), (Texts{bobs_run}));
  EXPECT_EQ(runs({.thread_id = bob, .owner = "ann"}), Texts{});
  EXPECT_EQ(runs({.ids = {anns_run, bobs_run}, .owner = "bob"}), (Texts{bobs_run}));
  EXPECT_EQ(get(store().run(anns_run)).value().owner, "ann");
  EXPECT_EQ(get(store().open_runs(bob)).front().owner, "bob");
}

TEST_P(StoreContract, AssistantsOfNobodyAreFoundByAll) {
  const auto put = [&](std::string id, std::optional<std::string> owner) {
    domain::Assistant a;
    a.id = std::move(id);
    a.content = {"graph", a.id, std::nullopt, "{}", "{}", R"({"a":1})"};
    a.number = a.newest_number = 1;
    a.created_at = a.updated_at = env_.clock.now();
    a.owner = std::move(owner);
    apply(PutAssistant{a, true});
  };
  put("anns", "ann");
  put("bobs", "bob");
  put("for-all", std::nullopt);
  const auto ids = [&](AssistantFilter filter, Page page = {}) {
    filter.sort_by = "assistant_id";
    filter.descending = false;
    const auto found = get(store().assistants(std::move(filter), page));
    Texts out{std::to_string(found.total)};
    for (const auto& a : found.rows) out.push_back(a.id);
    return out;
  };
  EXPECT_EQ(ids({}), (Texts{"3", "anns", "bobs", "for-all"}));
  EXPECT_EQ(ids({.owner = "ann"}), (Texts{"2", "anns", "for-all"}));
  EXPECT_EQ(ids({.metadata = R"({"a":1})", .owner = "bob"}, {1, 1}), (Texts{"2", "for-all"}));
  EXPECT_EQ(ids({.metadata = R"({"n":"\u0000"})", .owner = "bob"}), (Texts{"0"}));
  EXPECT_EQ(get(store().assistant("bobs")).value().owner, "bob");
  EXPECT_EQ(get(store().assistant("for-all")).value().owner, std::nullopt);
}

// Whoever puts a row again does not give it away.
TEST_P(StoreContract, AnOwnerStays) {
  domain::Thread thread{new_id(), "{}", "{}", env_.clock.now(), env_.clock.now()};
  thread.owner = "ann";
  apply(PutThread{thread});
  auto run = make_run(thread.id);
  run.owner = "ann";
  apply(PutRun{run});
  domain::Assistant assistant;
  assistant.id = new_id();
  assistant.owner = "ann";
  apply(PutAssistant{assistant, false});
  thread.owner = run.owner = assistant.owner = "bob";
  apply(PutThread{thread}, PutRun{run}, PutAssistant{assistant, false});
  EXPECT_EQ(get(store().thread(thread.id)).value().thread.owner, "ann");
  EXPECT_EQ(get(store().run(run.id)).value().owner, "ann");
  EXPECT_EQ(get(store().assistant(assistant.id)).value().owner, "ann");
}

TEST_P(StoreContract, ApiKeysAreAddedUsedAndRevoked) {
  ApiKey key{"k1", "hash", "ann", "editor", "laptop", env_.clock.now()};
  ApiKey other{"k2", "other", "bob", "admin", "", key.created_at + std::chrono::seconds(1)};
  other.expires_at = other.created_at + std::chrono::hours(1);
  apply(AddApiKey{other}, AddApiKey{key});
  const auto stored = get(store().api_key("k1")).value();
  EXPECT_EQ(stored.secret_hash, "hash");
  EXPECT_EQ(stored.user, "ann");
  EXPECT_EQ(stored.role, "editor");
  EXPECT_EQ(stored.name, "laptop");
  EXPECT_EQ(stored.created_at, key.created_at);
  EXPECT_EQ(stored.expires_at, std::nullopt);
  EXPECT_EQ(stored.last_used_at, std::nullopt);
  EXPECT_EQ(stored.revoked_at, std::nullopt);
  EXPECT_EQ(get(store().api_key("k2")).value().expires_at, other.expires_at);
  EXPECT_FALSE(get(store().api_key("k3")));
  Texts ids;
  for (const auto& one : get(store().api_keys())) ids.push_back(one.id);
  EXPECT_EQ(ids, (Texts{"k1", "k2"}));

  key.secret_hash = "another";
  apply(AddApiKey{key});
  EXPECT_EQ(get(store().api_key("k1")).value().secret_hash, "hash") << "an id that exists is left alone";

  const auto commit_at = [&](WallTime at, Change change) {
    Commit commit{.at = at};
    commit.changes.push_back(std::move(change));
    EXPECT_TRUE(this->commit(std::move(commit)));
  };
  const auto first = key.created_at + std::chrono::minutes(1);
  const auto later = first + std::chrono::minutes(1);
  commit_at(later, NoteApiKeyUse{"k1"});
  commit_at(first, NoteApiKeyUse{"k1"});
  commit_at(first, RevokeApiKey{"k1"});
  commit_at(later, RevokeApiKey{"k1"});
  commit_at(later, RevokeApiKey{"k3"});
  const auto over = get(store().api_key("k1")).value();
  EXPECT_EQ(over.last_used_at, later);
  EXPECT_EQ(over.revoked_at, first);
  EXPECT_FALSE(get(store().api_key("k2")).value().revoked_at);
  EXPECT_FALSE(get(store().api_key("k3")));
}

}  // namespace dg::store::contract
