// Counters, gauges and histograms of this process, and their text form for Prometheus.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace dg {

using Labels = std::map<std::string, std::string>;

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void add(double amount = 1) = 0;
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void set(double value) = 0;
};

class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void observe(double value) = 0;
};

// The registry. What it gives out lives as long as it does; asking again for the same name and labels gives
// the same object. A name is used with one kind and one set of label names. Asking is too slow for a hot
// path: keep the reference.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  // `bounds` are the upper bounds of the buckets, rising.
  Histogram& histogram(const std::string& name, const std::string& help, const Labels& labels,
                       const std::vector<double>& bounds);
  // A gauge whose value is asked for at each render, on the caller's thread.
  void gauge_callback(const std::string& name, const std::string& help, const Labels& labels,
                      std::function<double()> value);

  // The same for a counter whose total is kept elsewhere; the total never falls.
  void counter_callback(const std::string& name, const std::string& help, const Labels& labels,
                        std::function<double()> total);

  std::string render();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dg
