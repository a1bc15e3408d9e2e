// A `duragraph dev` of this program, with its database in the project's folder.
#pragma once

#include "cli/bench/target.hpp"

namespace dg::cli::bench {

class DevTarget : public Target {
 public:
  static Task<Result<std::unique_ptr<Target>>> start(Bench& bench, TargetOptions options);
  // Starts the program, without a worker, on a folder that exists, and waits until it answers.
  static Task<Result<std::unique_ptr<DevTarget>>> start_in(Bench& bench, const std::filesystem::path& folder);

  // From the start of the process to the first answer.
  Duration first_answer() const { return first_answer_; }
  std::int64_t bytes_written() const override { return instances_.front()->bytes_written(); }
  std::string what_is_written() const override { return "KiB written"; }
  std::int64_t bytes_on_disk() const override;
  Task<void> stop() override;
  Result<BareStore> measure_bare_store(std::string_view what, Duration duration) const override;
  Result<std::unique_ptr<store::Store>> open_store() const override;
  std::vector<std::pair<std::string, double>> rows_per_run() const override;

 private:
  explicit DevTarget(Bench& bench);
  std::filesystem::path database() const { return folder_ / ".duragraph" / "duragraph.db"; }
  Task<Status> launch(TargetOptions options);

  Duration first_answer_{};
};

}  // namespace dg::cli::bench
