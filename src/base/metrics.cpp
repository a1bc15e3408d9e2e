#include "base/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <sstream>
#include <utility>

namespace dg {
namespace {

class PrometheusCounter final : public Counter {
 public:
  explicit PrometheusCounter(prometheus::Counter& counter) : counter_(counter) {}
  void add(double amount) override { counter_.Increment(amount); }

 private:
  prometheus::Counter& counter_;
};

class PrometheusGauge final : public Gauge {
 public:
  explicit PrometheusGauge(prometheus::Gauge& gauge) : gauge_(gauge) {}
  void set(double value) override { gauge_.Set(value); }

 private:
  prometheus::Gauge& gauge_;
};

class PrometheusHistogram final : public Histogram {
 public:
  explicit PrometheusHistogram(prometheus::Histogram& histogram) : histogram_(histogram) {}
  void observe(double value) override { histogram_.Observe(value); }

 private:
  prometheus::Histogram& histogram_;
};

using Key = std::pair<std::string, Labels>;

// The object of that key, made by `make` the first time.
template <class T, class Make>
T& find_or_make(std::map<Key, std::unique_ptr<T>>& all, const std::string& name, const Labels& labels,
                Make make) {
  auto& found = all[Key{name, labels}];
  if (!found) found = make();
  return *found;
}

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
  std::map<Key, std::unique_ptr<PrometheusCounter>> counters;
  std::map<Key, std::unique_ptr<PrometheusGauge>> gauges;
  std::map<Key, std::unique_ptr<PrometheusHistogram>> histograms;
  std::vector<std::function<void()>> callbacks;
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  return find_or_make(impl_->counters, name, labels, [&] {
    auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry);
    return std::make_unique<PrometheusCounter>(family.Add(labels));
  });
}

Gauge& Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  return find_or_make(impl_->gauges, name, labels, [&] {
    auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry);
    return std::make_unique<PrometheusGauge>(family.Add(labels));
  });
}

Histogram& Metrics::histogram(const std::string& name, const std::string& help, const Labels& labels,
                              const std::vector<double>& bounds) {
  return find_or_make(impl_->histograms, name, labels, [&] {
    auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(impl_->registry);
    return std::make_unique<PrometheusHistogram>(family.Add(labels, bounds));
  });
}

void Metrics::gauge_callback(const std::string& name, const std::string& help, const Labels& labels,
                             std::function<double()> value) {
  auto& shown = gauge(name, help, labels);
  impl_->callbacks.emplace_back([&shown, value = std::move(value)] { shown.set(value()); });
}

void Metrics::counter_callback(const std::string& name, const std::string& help, const Labels& labels,
                               std::function<double()> total) {
  auto& shown = counter(name, help, labels);
  impl_->callbacks.emplace_back([&shown, total = std::move(total), last = 0.0]() mutable {
    const double now = total();
    shown.add(now - std::exchange(last, now));
  });
}

std::string Metrics::render() {
  for (auto& update : impl_->callbacks) update();
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, impl_->registry.Collect());
  return out.str();
}

}  // namespace dg
