// The encoder card: one that is read is printed and read again as the same; one that is not is
// named bad data, with a remedy.
#include "base/error.hpp"
#include "encode/card.hpp"
#include "fuzz/property.hpp"

using namespace longhaul;
using namespace longhaul::encode;

namespace {

bool same(const Alphabet& a, const Alphabet& b) {
  return a.tokens == b.tokens && a.pad == b.pad && a.unknown == b.unknown &&
         a.prepend == b.prepend && a.append == b.append && a.allowed == b.allowed &&
         a.replace == b.replace;
}

bool same(const ImageSpec& a, const ImageSpec& b) {
  return a.size == b.size && a.resize == b.resize && a.interpolation == b.interpolation &&
         a.antialias == b.antialias && a.crop == b.crop && a.crop_rounding == b.crop_rounding &&
         a.scale == b.scale && a.mean == b.mean && a.std == b.std && a.colour == b.colour &&
         a.layout == b.layout && a.exif == b.exif;
}

bool same(const EncoderCard& a, const EncoderCard& b) {
  const auto same_input = [](const CardInput& x, const CardInput& y) {
    return x.kind == y.kind && x.dtype == y.dtype;
  };
  const auto same_golden = [](const GoldenVector& x, const GoldenVector& y) {
    return x.input == y.input && x.output == y.output && x.vector == y.vector &&
           x.tolerance == y.tolerance;
  };
  const auto same_output = [](const CardOutput& x, const CardOutput& y) {
    return x.name == y.name && x.kind == y.kind && x.key == y.key && x.dimension == y.dimension &&
           x.is_default == y.is_default;
  };
  return a.name == b.name && a.modality == b.modality && a.method == b.method &&
         std::equal(a.inputs.begin(), a.inputs.end(), b.inputs.begin(), b.inputs.end(),
                    same_input) &&
         std::equal(a.outputs.begin(), a.outputs.end(), b.outputs.begin(), b.outputs.end(),
                    same_output) &&
         a.max_tokens == b.max_tokens && same(a.alphabet, b.alphabet) && same(a.image, b.image) &&
         a.pooling == b.pooling && a.normalize == b.normalize &&
         std::equal(a.golden.begin(), a.golden.end(), b.golden.begin(), b.golden.end(),
                    same_golden) &&
         a.source == b.source && a.text == b.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const EncoderCard card = parse_card(fuzz::text_of(data, size), "card");
    const std::string printed = card.text.dump();
    fuzz::require(same(card, parse_card(printed, "card")), "a card is printed as it was read",
                  printed);
  } catch (const Error& error) {
    fuzz::require(error.code() == ExitCode::kBadData && !error.remedy().empty(),
                  "a bad card is bad data, with a remedy", error.what());
  }
  return 0;
}
