#include "encode/model_kind.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.hpp"
#include "encode/zip_directory.hpp"

namespace longhaul::encode {
namespace {

using namespace std::literals;
namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "model_kind.XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string file(const std::string& name, std::string_view bytes) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return (path_ / name).string();
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) {
    text += i < 8 ? static_cast<char>(value >> (8 * i)) : '\0';
  }
  return text;
}

struct Member {
  std::string name;
  std::string content;
};

// A zip archive of stored members; with `zip64`, places and sizes stand in Zip64 fields.
std::string zip(const std::vector<Member>& members, bool zip64 = false) {
  std::string file;
  std::string directory;
  for (const Member& member : members) {
    const std::uint64_t offset = file.size();
    const std::uint64_t size = member.content.size();
    const std::string sizes = number(0, 4) + number(size, 4) + number(size, 4);
    file += "PK\x03\x04" + number(20, 2) + number(0, 8) + sizes + number(member.name.size(), 2) +
            number(3, 2) + member.name + "abc" + member.content;
    const std::string extra =
        zip64 ? number(1, 2) + number(24, 2) + number(size, 8) + number(size, 8) + number(offset, 8)
              : "";
    const std::string sizes64 = number(0, 4) + std::string(8, '\xff');
    directory += "PK\x01\x02" + number(0, 4) + number(0, 8) + (zip64 ? sizes64 : sizes) +
                 number(member.name.size(), 2) + number(extra.size(), 2) + number(0, 10) +
                 number(zip64 ? 0xFFFFFFFF : offset, 4) + member.name + extra;
  }
  const std::uint64_t at = file.size();
  file += directory;
  if (zip64) {
    const std::uint64_t end64 = file.size();
    file += "PK\x06\x06" + number(44, 8) + number(0, 12) + number(members.size(), 8) +
            number(members.size(), 8) + number(directory.size(), 8) + number(at, 8);
    file += "PK\x06\x07" + number(0, 4) + number(end64, 8) + number(1, 4);
  }
  return file + "PK\x05\x06" + number(0, 4) + number(members.size(), 2) +
         number(members.size(), 2) + number(zip64 ? 0xFFFFFFFF : directory.size(), 4) +
         number(zip64 ? 0xFFFFFFFF : at, 4) + number(0, 2);
}

std::string safetensors(const std::string& header) {
  return number(header.size(), 8) + header + std::string(64, '\0');
}

struct Refusal {
  ExitCode code;
  std::string text;
};

Refusal refusal(const std::string& path) {
  try {
    require_archive(path);
  } catch (const Error& error) {
    return {error.code(), std::string(error.what()) + " | " + error.remedy()};
  }
  return {ExitCode::kDone, ""};
}

void check_refused(const std::string& path, const std::vector<std::string>& texts,
                   ExitCode code = ExitCode::kBadData) {
  const Refusal refused = refusal(path);
  INFO(path << ": " << refused.text);
  CHECK(refused.code == code);
  CHECK(refused.text.find('\n') == std::string::npos);
  for (const std::string& text : texts) {
    INFO("expected: " << text);
    CHECK(refused.text.find(text) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("A TorchScript archive is let through, Zip64 or not") {
  const Folder folder;
  const std::vector<Member> members{{"m/data.pkl", "x"}, {"m/code/__torch__.py", "y"}};
  for (const bool zip64 : {false, true}) {
    CHECK(refusal(folder.file("m.ts", zip(members, zip64))).code == ExitCode::kDone);
  }
}

TEST_CASE("A zip directory tells names, places and sizes") {
  const Folder folder;
  for (const bool zip64 : {false, true}) {
    const std::string path =
        folder.file("a.zip", zip({{"first", "one"}, {"second/file", "two and more"}}, zip64));
    const auto entries = read_zip_directory(path);
    REQUIRE(entries);
    REQUIRE(entries->size() == 2);
    CHECK((*entries)[1].name == "second/file");
    CHECK(read_zip_entry(path, (*entries)[0], 100) == "one");
    CHECK(read_zip_entry(path, (*entries)[1], 5) == "two a");
  }
}

TEST_CASE("A damaged zip is refused and never read beyond its end") {
  const Folder folder;
  const std::string whole = zip({{"m/data.pkl", "x"}, {"m/code/a.py", "y"}}, true);
  for (std::size_t size = 4; size < whole.size(); ++size) {
    check_refused(folder.file("cut.ts", whole.substr(0, size)), {"without its end", "again"});
  }
  for (std::size_t at = 4; at < whole.size(); ++at) {
    for (const char byte : {'\x00', '\x7f', '\xff'}) {
      std::string changed = whole;
      changed[at] = byte;
      refusal(folder.file("changed.ts", changed));  // any answer, but an answer
    }
  }
}

TEST_CASE("Weights are refused with the exporter of their family") {
  const Folder folder;
  const std::string data = "x/data.pkl";
  check_refused(folder.file("fair.pt", zip({{data, "encoder.sentence_encoder.layers.0.fc1"}})),
                {"torch.save", "scripts/export_esm.py " + folder.path() + "/fair.pt fair.ts"});
  check_refused(folder.file("clip.pt", zip({{data, "visual.conv1.weight"}})),
                {"export_openclip.py NAME clip.ts --pretrained " + folder.path() + "/clip.pt"});
  check_refused(folder.file("resnet.pth", zip({{data, "layer4.0.conv1.weight"}})),
                {"export_torchvision.py NAME resnet.ts --weights"});
  check_refused(folder.file("bert.bin", zip({{data, "bert.encoder.layer.0"}})),
                {"config.json", "scripts/export_transformers.py FOLDER OUT.ts"});
  check_refused(folder.file("other.pt", zip({{data, "e.weight"}})),
                {"torch.save", "scripts/export_esm.py"});
  check_refused(folder.file("a.safetensors", safetensors(R"({"visual.conv1.weight":{}})")),
                {"safetensors", "export_openclip.py NAME a.ts"});
  check_refused(folder.file("old.pt",
                            "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
                            "layer4.0.conv1.weight"sv),
                {"old torch.save", "export_torchvision.py NAME old.ts"});
  check_refused(folder.file("list.pkl", "\x80\x04\x95\x00"sv), {"pickle"});
}

TEST_CASE("A file beside a config.json is known by it") {
  const Folder folder;
  folder.file("esm2 8m/config.json", R"({"model_type": "esm"})");
  const std::string command = "scripts/export_esm.py '" + folder.path() + "/esm2 8m' 'esm2 8m.ts'";
  check_refused(folder.file("esm2 8m/model.safetensors", safetensors(R"({"x":1})")), {command});
  check_refused(folder.file("esm2 8m/pytorch_model.bin", zip({{"a/data.pkl", ""}})), {command});
  check_refused(folder.path() + "/esm2 8m/config.json", {"configuration of a model", command});
  check_refused(folder.path() + "/esm2 8m", {"Hugging Face folder", "'esm'", command});
  check_refused(folder.path() + "/esm2 8m/", {"'esm2 8m.ts'"});
}

TEST_CASE("Folders say what they are") {
  const Folder folder;
  const auto with = [&](const std::string& name, const std::string& file, std::string_view text) {
    folder.file(name + "/" + file, text);
    return folder.path() + "/" + name;
  };
  check_refused(with("bert", "config.json", R"({"model_type": "bert", "vocab_size": 30})"),
                {"'bert'", "scripts/export_transformers.py " + folder.path() + "/bert bert.ts"});
  for (const char* type : {"t5", "roberta", "dinov2", "siglip", "clip"}) {
    check_refused(with("hf", "config.json", R"({"model_type": ")" + std::string(type) + "\"}"),
                  {"scripts/export_transformers.py", "hf hf.ts"});
  }
  check_refused(with("gpt", "config.json", R"({"model_type": "gpt2"})"),
                {"'gpt2'", "no exporter here", "--draft-card"});
  check_refused(
      with("ab", "config.json", R"({"model_type": "bert", "vocab_size": 25, "hidden_size": 512})"),
      {"export_antiberty.py"});
  check_refused(with("fold", "config.json", R"({"model_type": "esm", "is_folding_model": true})"),
                {"no exporter here"});
  check_refused(with("clip", "open_clip_config.json", "{}"), {"export_openclip.py", "clip.ts"});
  check_refused(
      with("timm", "config.json", R"({"architecture": "resnet18", "pretrained_cfg": {}})"),
      {"timm:resnet18 timm.ts --weights", "timm/model.safetensors"});
  check_refused(with("tf", "saved_model.pb", ""), {"SavedModel"});
  check_refused(with("run", "run.json", "{}"), {"output of longhaul", "longhaul inspect"});
  check_refused(with("home", "b.ts", ""), {"a folder", "home/b.ts"});
  check_refused(with("empty", "readme", ""), {"a folder", "export_esm.py"});
}

TEST_CASE("Other models and files are named") {
  const Folder folder;
  const auto named = [&](std::string_view bytes, const std::string& what,
                         const std::string& remedy) {
    check_refused(folder.file("model.ts", bytes), {what, remedy});
  };
  named("", "empty", "again");
  named(" \n\n", "empty", "again");
  named("\x89HDF\r\n\x1a\n...", "HDF5", "export_esm.py");
  named("GGUF\x03", "GGUF", "export_esm.py");
  named("\x1c\x00\x00\x00TFL3"sv, "TensorFlow Lite", "export_esm.py");
  named("\x93NUMPY\x01\x00"sv, "NumPy array", "export_esm.py");
  named("\x1f\x8b\x08\x00"sv, "compressed", "gzip -dc ");
  named("\x28\xb5\x2f\xfd"sv, "compressed", "zstd -dc ");
  named("BZh91AY", "compressed", "bzip2 -dc ");
  named(std::string(257, 'x') + "ustar  ", "tar archive", "tar -xf");
  named(zip({{"m/archive_format", "pt2"}, {"m/data/weights/x.pt", ""}}), "exported program",
        "export_esm.py");
  named(zip({{"config.json", "{}"}, {"model.weights.h5", ""}}), "Keras", "export_esm.py");
  named(zip({{"arr_0.npy", ""}}), "NumPy archive", "export_esm.py");
  named(zip({{"model.ts", ""}}), "zip archive that holds no", "unzip");
  named(
      "\x08\x07\x12\x07pytorch\x1a\x03"
      "2.1\x3a\x90\x03\x0a\x00"sv,
      "ONNX", "export_esm.py");
  named("<!DOCTYPE html><html>", "web page", "download it again");
  named("{\"card\": 1}", "JSON", "--card");
  named(">a\nACDEF\n", "text", "MODEL INPUT");
  named("\x08\x07\xff\xff\xff\xff\xff"sv, "not a TorchScript archive", "export_esm.py");
}

TEST_CASE("A Git LFS pointer says what was not downloaded") {
  const Folder folder;
  check_refused(folder.file("hub/model.ts",
                            "version https://git-lfs.github.com/spec/v1\noid sha256:00\n"
                            "size 1610612736\n"),
                {"Git LFS pointer", "1.5 GiB", "git -C " + folder.path() + "/hub lfs pull"});
}

TEST_CASE("What is not there is known by its name") {
  check_refused("facebook/esm2_t6_8M_UR50D",
                {"Hugging Face hub",
                 "hf download facebook/esm2_t6_8M_UR50D --local-dir "
                 "esm2_t6_8M_UR50D && scripts/export_esm.py esm2_t6_8M_UR50D "
                 "esm2_t6_8M_UR50D.ts"});
  check_refused("Rostlab/prot_bert", {"Hugging Face hub",
                                      "hf download Rostlab/prot_bert --local-dir prot_bert && "
                                      "scripts/export_transformers.py prot_bert prot_bert.ts"});
  check_refused("openai/gpt2", {"Hugging Face hub", "no exporter here"});
  check_refused("prot_t5.ts",
                {"no such",
                 "hf download Rostlab/prot_t5_xl_half_uniref50-enc --local-dir "
                 "prot_t5_xl_half_uniref50-enc && scripts/export_transformers.py "
                 "prot_t5_xl_half_uniref50-enc prot_t5.ts"},
                ExitCode::kIo);
  check_refused("laion/CLIP-ViT-B-32", {"export_openclip.py hf-hub:laion/CLIP-ViT-B-32"});
  check_refused("timm/resnet18.a1_in1k", {"export_torchvision.py timm:resnet18 resnet18.ts"});
  check_refused("esm2_t33_650M_UR50D", {"no such", "facebook/esm2_t33_650M_UR50D"}, ExitCode::kIo);
  check_refused("esm2.ts", {"no such", "export_esm.py esm2_650m esm2.ts"}, ExitCode::kIo);
  check_refused("antiberty.ts", {"export_antiberty.py antiberty.ts"}, ExitCode::kIo);
  check_refused("models/none.ts", {"no such model file"}, ExitCode::kIo);
  check_refused("/no/such/file", {"no such model file"}, ExitCode::kIo);
}

}  // namespace longhaul::encode
