#include <catch2/catch.hpp>
#include <string>

#include "kernels/attention_batch.hpp"
#include "kernels/isa.hpp"
#include "kernels/rotation.hpp"

using namespace attention_tests;

namespace {

template <typename Task>
void check_list() {
  const auto all = implementations<Task>();
  REQUIRE(!all.empty());
  CHECK(all.front().isa == Isa::kPlain);
  for (std::size_t i = 1; i < all.size(); ++i) {
    CHECK(all[i - 1].isa < all[i].isa);
  }
  for (const Isa isa : kIsas) {
    const auto& chosen = implementation_for<Task>(isa);
    CHECK(chosen.isa <= isa);
    for (const auto& one : all) {
      CHECK((one.isa > isa || one.isa <= chosen.isa));
    }
  }
}

}  // namespace

TEST_CASE("instruction sets have names") {
  for (const Isa isa : kIsas) {
    CHECK(isa_from_string(to_string(isa)) == isa);
  }
  CHECK(!isa_from_string("avx"));
  CHECK(!isa_from_string(""));
}

TEST_CASE("a machine that has an instruction set has those that it includes") {
  CHECK(machine_has(Isa::kPlain));
  CHECK(machine_has(best_isa()));
  for (const Isa isa : kIsas) {
    CHECK(machine_has(isa) == (isa <= best_isa()));
    if (!machine_has(isa)) {
      WARN("skipped: this machine has no " << to_string(isa) << ", whose kernels are not tested");
    }
  }
#if defined(__x86_64__) && !defined(__clang__)  // clang 14 has no word for it
  WARN("skipped: AMX, which no kernel is written for; this machine "
       << (__builtin_cpu_supports("amx-bf16") ? "has it" : "has none"));
#endif
}

TEST_CASE("the forms for an instruction set with fused multiply-add are compiled with it") {
  // With so few keys every width of registers adds in the same order: rounding once instead of
  // twice is all that can differ.
  const Shape shape{.heads = 4, .queries = 3, .keys = 3, .width = 64};
  const auto bits = [&](const Implementation<AttentionTask<float>>& one) {
    const Batch<float> batch({{1, 3}}, shape, Layout::kSeparate, Bias::kNone, 0);
    one.run(batch.task(), 0, batch.pairs());
    return batch.bits(0, 3);
  };
  const auto all = implementations<AttentionTask<float>>();
  std::optional<std::vector<std::uint32_t>> fused;
  for (const auto& one : all.subspan(1)) {
    if (one.runs_here()) {
      INFO(to_string(one.isa));
      CHECK(bits(one) != bits(all.front()));
      CHECK(bits(one) == fused.value_or(bits(one)));
      fused = bits(one);
    }
  }
}

TEST_CASE("each kernel takes the widest of its implementations that a set includes") {
  check_list<AttentionTask<float>>();
  check_list<AttentionTask<Bfloat16>>();
  check_list<RotationTask<float>>();
  check_list<RotationTask<Bfloat16>>();
}
