// Stream frames: their numbers and how they are read back.
#pragma once

#include "store/contract/contract.hpp"

namespace dg::store::contract {

TEST_P(StoreContract, FramesAreNumberedWithoutGaps) {
  const auto thread = add_thread();
  const auto run = add_run(thread, domain::RunState::in_progress);
  EXPECT_EQ(get(store().frame_count(run.id)), 0);
  constexpr std::size_t huge = 1U << 30;
  EXPECT_TRUE(get(store().frames(run.id, 0, huge)).frames.empty());
  std::int64_t expected = 0;
  for (int i = 0; i < 200; ++i) {
    const auto done = apply(AppendFrames{run.id, thread, make_frames(static_cast<int>(expected), 1 + i % 3)});
    ASSERT_EQ(done.first_frames, std::vector{expected});
    expected += 1 + i % 3;
  }
  const auto check = [&] {
    EXPECT_EQ(get(store().frame_count(run.id)), expected);
    for (const std::int64_t from :
         {std::int64_t{0}, std::int64_t{1}, std::int64_t{77}, expected - 1, expected}) {
      const auto page = get(store().frames(run.id, from, huge));
      EXPECT_EQ(page.first, from);
      ASSERT_EQ(std::ssize(page.frames), expected - from);
      for (std::int64_t i = 0; i < std::ssize(page.frames); ++i)
        ASSERT_EQ(page.frames[static_cast<std::size_t>(i)].data, std::to_string(from + i));
    }
  };
  check();
  auto over = run;
  over.state = domain::RunState::completed;
  apply(PutRun{over});
  check();
  EXPECT_EQ(apply(AppendFrames{run.id, thread, make_frames(static_cast<int>(expected), 1)}).first_frames[0],
            expected);
}

TEST_P(StoreContract, FramePagesAreBoundedAndNeverEmpty) {
  const auto thread = add_thread();
  const auto run = new_id();
  std::vector<Frame> frames;
  frames.reserve(10);
  for (int i = 0; i < 10; ++i) frames.push_back({"e", std::string(1000, static_cast<char>('a' + i))});
  apply(AppendFrames{run, thread, frames}, AppendFrames{run, thread, frames});
  EXPECT_EQ(get(store().frames(run, 0, 1)).frames.size(), 1U);
  const auto page = get(store().frames(run, 8, 4100));
  ASSERT_EQ(page.frames.size(), 4U);
  EXPECT_EQ(page.frames[2].data[0], 'a');
  EXPECT_TRUE(get(store().frames(run, 20, 4100)).frames.empty());
}

TEST_P(StoreContract, FramesAreBytesAsTheyCame) {
  const auto run = new_id();
  const std::vector<Frame> frames{{"values|a:1|b", "{}"}, {"", ""}, {"messages", std::string(300000, 'x')}};
  apply(AppendFrames{run, add_thread(), frames});
  const auto page = get(store().frames(run, 0, 1U << 20));
  ASSERT_EQ(page.frames.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(page.frames[i].event, frames[i].event);
    EXPECT_EQ(page.frames[i].data, frames[i].data);
  }
}

TEST_P(StoreContract, LastFrameOfAnEventIsFound) {
  const auto run = new_id();
  const auto thread = add_thread();
  apply(AppendFrames{run, thread, {{"values", "1"}, {"values", "2"}, {"updates", "3"}}},
        AppendFrames{run, thread, {{"updates", "4"}}});
  EXPECT_EQ(get(store().last_frame(run, "values")).value().data, "2");
  EXPECT_EQ(get(store().last_frame(run, "updates")).value().data, "4");
  EXPECT_FALSE(get(store().last_frame(run, "custom")));
}

TEST_P(StoreContract, FramesOfRunsThatAreOverCanBeFoundAndErased) {
  const auto thread = add_thread();
  auto run = add_run(thread, domain::RunState::in_progress);
  apply(AppendFrames{run.id, thread, make_frames(0, 3)});
  const auto found = [&](std::chrono::seconds later, bool resumable) {
    return get(store().runs_with_frames(run.updated_at + later, resumable, 10));
  };
  EXPECT_TRUE(found(std::chrono::seconds(9), false).empty());
  run.state = domain::RunState::completed;
  apply(PutRun{run});
  EXPECT_EQ(found(std::chrono::seconds(9), false), std::vector{run.id});
  EXPECT_TRUE(found(std::chrono::seconds(-9), false).empty());
  EXPECT_TRUE(found(std::chrono::seconds(9), true).empty());
  auto other = add_run(add_thread(), domain::RunState::in_progress);
  apply(AppendFrames{other.id, other.thread_id, make_frames(0, 2)});
  other.state = domain::RunState::completed;
  apply(PutRun{other});
  apply(EraseFrames{{run.id, other.id}});
  EXPECT_TRUE(found(std::chrono::seconds(9), false).empty());
  EXPECT_EQ(get(store().frame_count(run.id)), 0);
  EXPECT_EQ(get(store().frame_count(other.id)), 0);
}

}  // namespace dg::store::contract
