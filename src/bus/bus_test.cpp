#include "bus/bus.hpp"

#include <gmock/gmock.h>

#include <optional>
#include <vector>

#include "bus/local/listeners.hpp"

namespace dg::bus {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LocalBusTest : public ::testing::Test {
 protected:
  Bus::Listener noting(std::string name) {
    return [this, name = std::move(name)](const std::string& id, const std::string& body) {
      heard_.push_back(name + ":" + id + body);
    };
  }
  std::unique_ptr<Bus> bus_ = make_local_bus();
  std::vector<std::string> heard_;
};

TEST_F(LocalBusTest, WakesWhoListensToTheIdAndWhoListensToAll) {
  const auto one = bus_->subscribe(Topic::run, "r1", noting("one"));
  const auto other = bus_->subscribe(Topic::run, "r2", noting("other"));
  const auto all = bus_->subscribe(Topic::run, "", noting("all"));
  const auto queue = bus_->subscribe(Topic::queue, "", noting("queue"));
  bus_->publish(Topic::run, "r1");
  EXPECT_THAT(heard_, ElementsAre("one:r1", "all:r1"));
}

TEST_F(LocalBusTest, AnEndedSubscriptionHearsNothing) {
  std::optional first = bus_->subscribe(Topic::run, "r", noting("first"));
  const auto second = bus_->subscribe(Topic::run, "r", noting("second"));
  first.reset();
  bus_->publish(Topic::run, "r");
  EXPECT_THAT(heard_, ElementsAre("second:r"));
}

TEST_F(LocalBusTest, AListenerMayEndSubscriptionsItsOwnAmongThem) {
  std::optional<Subscription> own, other;
  own = bus_->subscribe(Topic::run, "r", [&](const std::string&, const std::string&) {
    own.reset();
    other.reset();
    heard_.emplace_back("own");
  });
  other = bus_->subscribe(Topic::run, "r", noting("other"));
  bus_->publish(Topic::run, "r");
  bus_->publish(Topic::run, "r");
  EXPECT_THAT(heard_, ElementsAre("own"));
}

TEST_F(LocalBusTest, ASubscriptionMayOutliveTheBus) {
  const auto subscription = bus_->subscribe(Topic::run, "r", noting("one"));
  bus_.reset();
  EXPECT_THAT(heard_, IsEmpty());
}

TEST(ListenersTest, SayWhenTheLastOneOfAKeyHasGone) {
  std::vector<std::string> gone;
  const auto note = [&gone](const Listeners::Key& key) { gone.push_back(key.second); };
  const auto nothing = [](const std::string&, const std::string&) {};
  Listeners listeners;
  std::optional one = listeners.add(Topic::run, "r", nothing, note);
  std::optional two = listeners.add(Topic::run, "r", nothing, note);
  one.reset();
  EXPECT_THAT(gone, IsEmpty());
  two.reset();
  EXPECT_THAT(gone, ElementsAre("r"));
  EXPECT_FALSE(listeners.has({Topic::run, "r"}));
}

TEST(ListenersTest, EverybodyIsWokenWithTheIdTheyAskedFor) {
  std::vector<std::string> heard;
  const auto note = [&heard](const std::string& id, const std::string& body) {
    heard.push_back(id + "/" + body);
  };
  Listeners listeners;
  const auto one = listeners.add(Topic::run, "r", note);
  const auto all = listeners.add(Topic::queue, "", note);
  listeners.wake_all();
  EXPECT_THAT(heard, ElementsAre("r/", "/"));
}

}  // namespace
}  // namespace dg::bus
