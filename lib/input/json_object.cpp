#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.hpp"
#include "input/columns.hpp"
#include "input/json_lines_reader.hpp"

namespace longhaul::input {
namespace {

using Json = nlohmann::json;

// Printing a value takes stack for each level of it, and a line may be as long as memory allows.
constexpr std::size_t kDeepest = 256;

// "[json.exception.parse_error.101] parse error at line 1, column 9: syntax error while ..."
std::string without_prefix(const std::string& what) {
  const std::size_t colon = what.find(": ");
  return colon == std::string::npos ? what : what.substr(colon + 2);
}

}  // namespace

// Takes the parser's events: what stands at depth 1 is a field.
class JsonObject::Events : public nlohmann::json_sax<Json> {
 public:
  explicit Events(JsonObject& object) : object_(object) {}

  bool null() override { return value(Kind::kNull, ""); }
  bool boolean(bool truth) override { return value(Kind::kBoolean, truth ? "true" : "false"); }
  bool number_integer(number_integer_t number) override {
    return value(Kind::kNumber, std::to_string(number));
  }
  bool number_unsigned(number_unsigned_t number) override {
    return value(Kind::kNumber, std::to_string(number));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return value(Kind::kNumber, text);
  }
  bool string(string_t& text) override { return value(Kind::kString, text); }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return value(Kind::kObject, "") && enter(); }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override { return value(Kind::kArray, "") && enter(); }
  bool end_array() override { return leave(); }
  bool key(string_t& key) override {
    if (depth_ == 1) {
      if (object_.used_ == object_.fields_.size()) {
        object_.fields_.emplace_back();
      }
      object_.fields_[object_.used_++].key.assign(key);
    }
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    error_ = without_prefix(error.what());
    return false;
  }

  const std::string& error() const { return error_; }
  Kind root() const { return root_; }

 private:
  bool value(Kind kind, std::string_view text) {
    if (depth_ == 0) {
      root_ = kind;
    } else if (depth_ == 1 && root_ == Kind::kObject) {
      Field& field = object_.fields_[object_.used_ - 1];
      field.kind = kind;
      field.text.assign(text);
    }
    return true;
  }
  bool enter() {
    if (++depth_ > kDeepest) {
      error_ = "nested more than " + std::to_string(kDeepest) + " levels deep";
      return false;
    }
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }

  JsonObject& object_;
  std::size_t depth_ = 0;
  Kind root_ = Kind::kNull;
  std::string error_;
};

std::string_view JsonObject::name_of(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kString:
      return "a string";
    case Kind::kNumber:
      return "a number";
    case Kind::kBoolean:
      return "true or false";
    case Kind::kObject:
      return "an object";
    case Kind::kArray:
      break;
  }
  return "an array";
}

std::optional<Defect> JsonObject::read(std::string_view line) {
  used_ = 0;
  Events events(*this);
  if (!Json::sax_parse(line.begin(), line.end(), &events)) {
    used_ = 0;
    return valid_utf8(line)
               ? Defect{Reason::kBadJson, "not valid JSON: " + printable(events.error(), 200)}
               : Defect{Reason::kNotUtf8, "the line is not UTF-8"};
  }
  if (events.root() != Kind::kObject) {
    used_ = 0;
    return Defect{Reason::kBadRecord,
                  "the line is " + std::string(name_of(events.root())) + ", not an object"};
  }
  return std::nullopt;
}

}  // namespace longhaul::input
