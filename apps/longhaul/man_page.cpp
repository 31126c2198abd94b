#include "man_page.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "version.hpp"

namespace longhaul::app {
namespace {

// Text that roff shows as it stands: a backslash, a hyphen that is to be copied, and a line that
// would be a request.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\n') {
      out += ' ';
    } else {
      out += c;
    }
  }
  return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

std::string tagged(const std::string& tag, const std::string& text) {
  return ".TP\n" + tag + "\n" + roff(text) + "\n";
}

std::string synopsis(const Command& command) {
  std::string line = "\\fBlonghaul" + (command.path.empty() ? "" : " " + path_text(command)) +
                     "\\fR [\\fIOPTIONS\\fR]";
  for (const Position& position : command.positions) {
    line += " \\fI" + roff(position.name) + "\\fR" + (position.repeated ? " ..." : "");
  }
  return line + (command.commands.empty() ? "" : " \\fICOMMAND\\fR ...");
}

std::string flag_entry(const Flag& flag) {
  std::vector<std::string> names;
  for (const std::string& name : flag.names) {
    names.push_back("\\fB" + roff(name) + "\\fR");
  }
  const std::string value = flag.value_name.empty() ? "" : " \\fI" + roff(flag.value_name) + "\\fR";
  return tagged(join(names, ", ") + value, flag.help);
}

std::string flag_entries(const Command& command) {
  std::vector<std::string> headings;
  for (const Flag& flag : command.flags) {
    if (std::find(headings.begin(), headings.end(), flag.heading) == headings.end()) {
      headings.push_back(flag.heading);
    }
  }
  std::string text;
  for (const std::string& heading : headings) {
    text += headings.size() > 1 ? ".PP\n\\fI" + roff(heading) + "\\fR\n" : "";
    for (const Flag& flag : command.flags) {
      text += flag.heading == heading ? flag_entry(flag) : "";
    }
  }
  return text;
}

std::string command_section(const Command& command) {
  std::string text = ".SH " + upper(path_text(command)) + "\n" + synopsis(command) + "\n.PP\n" +
                     roff(command.help) + ".\n";
  for (const Position& position : command.positions) {
    text += tagged("\\fI" + roff(position.name) + "\\fR", position.help);
  }
  return text + flag_entries(command);
}

const std::vector<std::pair<ExitCode, std::string>>& exit_codes() {
  static const std::vector<std::pair<ExitCode, std::string>> codes{
      {ExitCode::kDone, "Done; no record rejected, or no more than an explicit --max-rejects."},
      {ExitCode::kDifferent, "diff: the outputs differ."},
      {ExitCode::kUsage, "A flag, value or combination that is not allowed."},
      {ExitCode::kRejected,
       "Done, but records were rejected and no limit was given; see rejects.csv."},
      {ExitCode::kBadData,
       "Bad input, model or output values; more rejects than allowed; every record rejected."},
      {ExitCode::kUnavailable,
       "Not available now, try later: the output is in use, the device is absent or fails."},
      {ExitCode::kInternal, "Internal error."},
      {ExitCode::kMemory, "Memory: not one record fits, or the system gives no more."},
      {ExitCode::kMismatch, "The output was made by another model, input or settings."},
      {ExitCode::kIo, "Reading or writing failed, or the disk is full, or a path is not there."},
      {ExitCode::kInterrupted,
       "Interrupted; what is committed is safe and the same command continues."}};
  return codes;
}

}  // namespace

std::string man_page(const std::vector<Command>& commands) {
  const Command& program = commands.front();
  std::string text =
      ".TH LONGHAUL 1 \"\" \"longhaul " + roff(versions().at("longhaul").get<std::string>()) +
      "\" \"User Commands\"\n.SH NAME\nlonghaul \\- " +
      "embed protein sequences and images with a TorchScript encoder\n" + ".SH SYNOPSIS\n" +
      synopsis(program) + "\n.SH DESCRIPTION\n" + roff(program.help) + "\n.SH COMMANDS\n";
  for (const Command& command : commands) {
    text += command.path.empty() ? ""
                                 : tagged("\\fB" + path_text(command) + "\\fR", command.help + ".");
  }
  text += ".SH OPTIONS\n" + flag_entries(program);
  for (const Command& command : commands) {
    const bool own = !command.positions.empty() || command.flags.size() > 2;  // but --help
    text += command.path.empty() || !own ? "" : command_section(command);
  }
  text += ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : exit_codes()) {
    text += tagged("\\fB" + std::to_string(to_int(code)) + "\\fR", meaning);
  }
  return text + ".SH ENVIRONMENT\n" +
         tagged("\\fBLONGHAUL_\\fIFLAG\\fR",
                "The value of a flag of embed that is not given: LONGHAUL_BATCH_SIZE for "
                "--batch-size, and so on. A flag goes before the environment, that before a "
                "--config file, that before the default.");
}

}  // namespace longhaul::app
