#include "report/page.hpp"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/hash.hpp"
#include "report/page_files.hpp"
#include "report/pictures.hpp"

namespace longhaul::report {
namespace {

// As JSON within a script element: without < there is no tag, and no end of the element.
std::string embedded(const nlohmann::ordered_json& data) {
  const std::string text =
      data.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '<':
        safe += "\\u003c";
        break;
      case '>':
        safe += "\\u003e";
        break;
      case '&':
        safe += "\\u0026";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

// As a content security policy names a script.
std::string policy_hash(std::string_view script) {
  const std::string hex = sha256(script);
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  }
  return "'sha256-" + to_base64(bytes) + "'";
}

}  // namespace

std::string make_page(const nlohmann::ordered_json& data) {
  const std::string library =
      "/*\n" + std::string(kChartLicence) + "*/\n" + std::string(kChartLibrary);
  const std::string script = std::string(kPageCharts) + std::string(kPageScript);
  const struct {
    std::string_view place;
    std::string text;
  } parts[] = {{"{{script hashes}}", policy_hash(library) + " " + policy_hash(script)},
               {"{{style}}", std::string(kPageCss)},
               {"{{data}}", embedded(data)},
               {"{{library}}", library},
               {"{{script}}", script}};
  // Each place once, in this order, so that nothing that was put in is looked at again.
  std::string page(kPageMark);
  std::string_view rest = kPageHtml;
  for (const auto& [place, text] : parts) {
    const std::size_t at = rest.find(place);
    page.append(rest.substr(0, at)).append(text);
    rest.remove_prefix(at + place.size());
  }
  return page.append(rest);
}

}  // namespace longhaul::report
