#include "score/provenance.hpp"

#include <nlohmann/json.hpp>

namespace longhaul::score {
namespace {

std::string text_of(const nlohmann::json& origin, const char* field) {
  if (!origin.is_object() || !origin.contains(field) || origin.at(field).is_null()) {
    return "not recorded";
  }
  const nlohmann::json& value = origin.at(field);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

OriginComparison compare_origins(const nlohmann::json& head, const nlohmann::json& embeddings) {
  OriginComparison comparison;
  const auto compare = [&](const char* field, std::vector<std::string>& into) {
    const std::string in_head = text_of(head, field);
    const std::string here = text_of(embeddings, field);
    if (in_head != here) {
      into.push_back(std::string(field) + " is " + in_head + " for the head and " + here +
                     " for the embeddings");
    }
  };
  for (const char* field :
       {"model_sha256", "card_sha256", "layer", "pooling", "normalize", "dimension"}) {
    compare(field, comparison.conflicts);
  }
  compare("dtype", comparison.remarks);
  return comparison;
}

}  // namespace longhaul::score
