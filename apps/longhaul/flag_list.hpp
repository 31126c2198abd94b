// The commands and flags of the program as plain values, read off the parser: what completion and
// the manual page are made of. Values; any thread.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace longhaul::app {

enum class ValueKind { kNone, kWords, kFile, kDirectory, kOther };

struct Flag {
  std::vector<std::string> names;  // "-o", "--output"
  std::string value_name;          // "DIR"; empty for a switch
  std::string help;
  std::string heading;
  ValueKind kind = ValueKind::kNone;
  std::vector<std::string> words;  // with kWords: what the value may be
};

struct Position {
  std::string name;  // "INPUT"
  std::string help;
  bool repeated = false;
  std::vector<std::string> words;  // empty: a file or a folder
};

struct Command {
  std::vector<std::string> path;  // {"probe", "cv"}; empty for the program
  std::string help;
  std::vector<Flag> flags;  // those that no help shows are left out
  std::vector<Position> positions;
  std::vector<std::string> commands;  // its own, by name
};

// The program first, then its commands in the order of --help, each before its own commands.
std::vector<Command> list_commands(const CLI::App& app);

// "embed", "probe cv"
std::string path_text(const Command& command);

}  // namespace longhaul::app
