#include "run/finite_share.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::run {
namespace {

constexpr double kMost = 0.01;
constexpr std::uint64_t kFew = 10;  // these are no share

}  // namespace

void FiniteShare::add(std::uint64_t records, std::uint64_t not_finite) {
  records_ += records;
  not_finite_ += not_finite;
  if (not_finite_ >= kFew &&
      static_cast<double>(not_finite_) > kMost * static_cast<double>(records_)) {
    throw Error(ExitCode::kBadData,
                format_count(not_finite_) + " of " + format_count(records_) +
                    " vectors are not finite: the device or the model is at fault",
                "check the model, or use another --device");
  }
}

}  // namespace longhaul::run
