#include "domain/event.hpp"

namespace dg::domain {

std::string_view to_string(AggregateType type) {
  switch (type) {
    case AggregateType::assistant:
      return "assistant";
    case AggregateType::thread:
      return "thread";
    case AggregateType::run:
      return "run";
  }
  return "";
}

}  // namespace dg::domain
