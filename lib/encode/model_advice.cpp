#include "encode/model_advice.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace longhaul::encode {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kNoExporter =
    "no exporter here makes an archive of it: save torch.jit.trace of a module that takes tokens "
    "and mask, or pixels, as OUT.ts, then draft its card: longhaul inspect OUT.ts --draft-card";

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

template <std::size_t N>
bool holds_any(std::string_view text, const std::array<std::string_view, N>& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return holds(text, part); });
}

// "models/esm2_650m/" and "weights/esm2_650m.pt" give "esm2_650m.ts".
std::string archive_name(const fs::path& source) {
  fs::path path = source;
  path = path.has_filename() ? path : path.parent_path();
  std::string name = path.filename().string();
  if (name.empty() || name.starts_with('.')) {
    name = "model";
  } else if (path.has_extension() && !fs::is_directory(path)) {
    name = path.stem().string();
  }
  return name + ".ts";
}

std::string command(const std::string& script, const std::string& model, const std::string& out,
                    const std::string& flags = "") {
  return "scripts/" + script + " " + shell_word(model) + " " + shell_word(out) + flags;
}

json read_json(const fs::path& path) {
  std::ifstream file(path);
  return file ? json::parse(file, nullptr, false) : json();
}

std::string text_at(const json& object, const char* key) {
  return object.is_object() && object.contains(key) && object.at(key).is_string()
             ? object.at(key).get<std::string>()
             : std::string();
}

const std::string kUsualEsm = "esm2_t33_650M_UR50D";

// Models of that name which are none of those that export_esm.py makes archives of.
bool is_other_esm(const std::string& name) {
  return holds_any(
      name, std::array<std::string_view, 6>{"esm3", "esmc", "esmfold", "msa", "esm_if", "esm-if"});
}

bool is_esm(const std::string& name) {
  return holds_any(name, std::array<std::string_view, 6>{"esm2", "esm-2", "esm1v", "esm-1v",
                                                         "esm1b", "esm-1b"}) &&
         !is_other_esm(name);
}

// What a config.json calls the models that export_transformers.py takes.
constexpr std::array<std::string_view, 11> kTransformersTypes{"t5",
                                                              "bert",
                                                              "roberta",
                                                              "electra",
                                                              "dinov2",
                                                              "dinov2_with_registers",
                                                              "vit",
                                                              "siglip",
                                                              "siglip_vision_model",
                                                              "clip",
                                                              "clip_vision_model"};

// Part of a name, and the hub's name of the usual model of that family.
struct Family {
  std::string_view part;
  std::string_view usual;
};
constexpr std::array<Family, 8> kTransformersFamilies{
    {{"prot_t5", "Rostlab/prot_t5_xl_half_uniref50-enc"},
     {"prott5", "Rostlab/prot_t5_xl_half_uniref50-enc"},
     {"prostt5", "Rostlab/ProstT5"},
     {"prot_bert", "Rostlab/prot_bert"},
     {"protbert", "Rostlab/prot_bert"},
     {"ankh", "ElnaggarLab/ankh-base"},
     {"dinov2", "facebook/dinov2-base"},
     {"siglip-", "google/siglip-base-patch16-224"}}};

std::string fetched_and_exported(const std::string& hub, const std::string& folder,
                                 const std::string& script, const std::string& out) {
  return "make an archive of it: .venv/bin/hf download " + shell_word(hub) + " --local-dir " +
         shell_word(folder) + " && " + command(script, folder, out);
}

}  // namespace

std::string general_advice() {
  return "make an archive from the Python model: scripts/export_esm.py, export_transformers.py, "
         "export_antiberty.py, export_openclip.py or export_torchvision.py; README.md, Models, "
         "says which for what";
}

std::string advice_for_name(const std::string& name) {
  const std::string lower = to_lower(name);
  const std::string base =
      name.substr(name.rfind('/') == std::string::npos ? 0 : name.rfind('/') + 1);
  const bool on_hub = holds(name, "/");
  if (holds(lower, "antiberty")) {
    return "make an archive of it: scripts/export_antiberty.py " + shell_word(archive_name(base));
  }
  if (is_esm(lower)) {
    // Names that end as the published ones are on the hub; a file such as esm2.ts is made from one.
    const bool published = holds(lower, "_ur50") || holds(lower, "_ur90");
    const std::string hub = on_hub ? name : "facebook/" + (published ? base : kUsualEsm);
    const std::string folder = published || on_hub ? base : "esm2_650m";
    return fetched_and_exported(hub, folder, "export_esm.py", archive_name(base));
  }
  if (lower.starts_with("timm/")) {
    const std::string model = base.substr(0, base.find('.'));
    return "make an archive of it: " +
           command("export_torchvision.py", "timm:" + model, model + ".ts", " --weights DEFAULT");
  }
  for (const Family& family : kTransformersFamilies) {
    if (holds(lower, family.part)) {
      const std::string hub(on_hub ? name : family.usual);
      const std::string folder = hub.substr(hub.rfind('/') + 1);
      return fetched_and_exported(hub, folder, "export_transformers.py", archive_name(base));
    }
  }
  if (on_hub && holds(lower, "clip")) {
    return "make an archive of it: " +
           command("export_openclip.py", "hf-hub:" + name, base + ".ts");
  }
  return on_hub ? kNoExporter : general_advice();
}

FolderAdvice advice_for_folder(const fs::path& folder) {
  if (fs::exists(folder / "open_clip_config.json")) {
    return {"a folder of open_clip's",
            "make an archive of it: " +
                command("export_openclip.py", folder.string(), archive_name(folder))};
  }
  const json config = read_json(folder / "config.json");
  if (const std::string architecture = text_at(config, "architecture"); !architecture.empty()) {
    const std::string weights = (folder / "model.safetensors").string();
    return {"a folder of timm's",
            "make an archive of it: " + command("export_torchvision.py", "timm:" + architecture,
                                                archive_name(folder),
                                                " --weights " + shell_word(weights))};
  }
  const std::string type = text_at(config, "model_type");
  if (type.empty()) {
    return {};
  }
  const std::string what = "a Hugging Face folder of a model of type '" + printable(type, 40) + "'";
  if (type == "esm" && !config.value("is_folding_model", false)) {
    return {what, "make an archive of it: " +
                      command("export_esm.py", folder.string(), archive_name(folder))};
  }
  // AntiBERTy's own sizes; its weights are those of the PyPI wheel.
  if (type == "bert" && config.value("vocab_size", 0) == 25 &&
      config.value("hidden_size", 0) == 512) {
    return {what,
            "if it is AntiBERTy, make an archive of it: scripts/export_antiberty.py antiberty.ts"};
  }
  if (std::find(kTransformersTypes.begin(), kTransformersTypes.end(), type) !=
      kTransformersTypes.end()) {
    return {what, "make an archive of it: " +
                      command("export_transformers.py", folder.string(), archive_name(folder))};
  }
  return {what, kNoExporter};
}

std::string advice_for_weights(const fs::path& file, std::string_view names) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  if (const FolderAdvice advice = advice_for_folder(folder); !advice.what.empty()) {
    return advice.remedy;
  }
  const bool safetensors = file.extension() == ".safetensors";
  if (holds_any(names,
                std::array<std::string_view, 2>{"sentence_encoder.layers.", "rot_emb.inv_freq"})) {
    return "make an archive of it: " + command("export_esm.py", file.string(), archive_name(file));
  }
  if (holds(names, "encoder.layer.") &&
      holds_any(names, std::array<std::string_view, 2>{"esm.", "emb_layer_norm_after"})) {
    return "put it into a folder with the config.json of its model, then: scripts/export_esm.py "
           "FOLDER OUT.ts";
  }
  if (holds_any(names, std::array<std::string_view, 2>{"visual.conv1", "visual.transformer."})) {
    return "make an archive of it, with open_clip's name of the model, such as ViT-B-32: "
           "scripts/export_openclip.py NAME " +
           shell_word(archive_name(file)) + " --pretrained " + shell_word(file.string());
  }
  if (holds_any(names, std::array<std::string_view, 4>{"layer4.", "features.", "conv_proj.",
                                                       "patch_embed."}) &&
      !holds(names, "bert.")) {
    return "make an archive of it, with torchvision's name of the model, or timm:NAME: "
           "scripts/export_torchvision.py NAME " +
           shell_word(archive_name(file)) + " --weights " + shell_word(file.string());
  }
  if (holds(names, "bert.")) {
    return "put it into a folder with the config.json and the tokenizer files of its model, then: "
           "scripts/export_transformers.py FOLDER OUT.ts";
  }
  return safetensors ? "download the whole folder it is from, config.json too, and give that: "
                       "longhaul inspect FOLDER names its exporter"
                     : general_advice();
}

}  // namespace longhaul::encode
