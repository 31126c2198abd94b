#include "completion_scripts.hpp"

#include "base/text.hpp"

namespace longhaul::app {
namespace {

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
  return text;
}

// The first clause: a line beside a flag has room for no more.
std::string in_short(const std::string& help) {
  constexpr std::size_t kMost = 60;
  std::string text = help.substr(0, help.find_first_of(";("));
  if (text.size() > kMost) {
    text = text.substr(0, text.rfind(' ', kMost));
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == ',' || text.back() == ':')) {
    text.pop_back();
  }
  return text;
}

std::string quoted(const std::string& text) {
  return "'" + replaced(text, "'", "'\\''") + "'";
}

std::vector<std::string> all_names(const Command& command) {
  std::vector<std::string> names;
  for (const Flag& flag : command.flags) {
    names.insert(names.end(), flag.names.begin(), flag.names.end());
  }
  return names;
}

std::vector<std::string> first_words(const Command& command) {
  return command.commands.empty() && !command.positions.empty() ? command.positions.front().words
                                                                : command.commands;
}

// "embed:--dtype|embed:-d"
std::string bash_patterns(const Command& command, const Flag& flag) {
  std::vector<std::string> patterns;
  for (const std::string& name : flag.names) {
    patterns.push_back("'" + path_text(command) + ":" + name + "'");
  }
  return join(patterns, "|");
}

std::string bash_value(const Flag& flag) {
  switch (flag.kind) {
    case ValueKind::kWords:
      return "_longhaul_words " + quoted(join(flag.words, " "));
    case ValueKind::kDirectory:
      return "compopt +o default -o dirnames";
    case ValueKind::kOther:
      return "compopt +o default +o bashdefault";
    case ValueKind::kFile:
    case ValueKind::kNone:
      break;
  }
  return ":";  // names of files, as bash completes them
}

// Commands that have commands: their name may be the first of two words.
std::string bash_families(const std::vector<Command>& commands) {
  std::vector<std::string> families;
  for (const Command& command : commands) {
    if (command.path.size() == 1 && !command.commands.empty()) {
      families.push_back(command.path.front());
    }
  }
  return families.empty() ? "''" : join(families, "|");
}

constexpr const char* kBashBegin = R"(# bash completion for longhaul

_longhaul_words() {
  compopt +o default +o bashdefault
  COMPREPLY=($(compgen -W "$1" -- "$cur"))
}

_longhaul() {
  local cur=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD - 1]} path=
  COMPREPLY=()
  # --dtype=bf16 is three words to bash.
  if [[ $cur == '=' ]]; then
    cur=
  elif [[ $flag == '=' ]]; then
    flag=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if ((COMP_CWORD > 1)); then
    path=${COMP_WORDS[1]}
    case $path in
)";

}  // namespace

std::string bash_completion(const std::vector<Command>& commands) {
  std::string script = kBashBegin;
  script += "      " + bash_families(commands) +
            ") ((COMP_CWORD > 2)) && path+=\" ${COMP_WORDS[2]}\" ;;\n    esac\n  fi\n"
            "  case $path:$flag in\n";
  for (const Command& command : commands) {
    for (const Flag& flag : command.flags) {
      if (flag.kind != ValueKind::kNone) {
        script += "    " + bash_patterns(command, flag) + ") " + bash_value(flag) + "; return ;;\n";
      }
    }
  }
  script += "  esac\n  case $path in\n";
  for (const Command& command : commands) {
    script += "    " + quoted(path_text(command)) + ")\n      if [[ $cur == -* ]]; then\n" +
              "        _longhaul_words " + quoted(join(all_names(command), " ")) + "\n";
    if (const std::vector<std::string> words = first_words(command); !words.empty()) {
      script += "      else\n        _longhaul_words " + quoted(join(words, " ")) + "\n";
    }
    script += "      fi ;;\n";
  }
  return script + "  esac\n}\n\ncomplete -o bashdefault -o default -F _longhaul longhaul\n";
}

namespace {

// In a specification of _arguments these have a meaning of their own.
std::string zsh_text(const std::string& text) {
  std::string escaped = replaced(text, "\\", "\\\\");
  for (const char* mark : {"[", "]", ":"}) {
    escaped = replaced(escaped, mark, std::string("\\") + mark);
  }
  return escaped;
}

std::string zsh_value(const Flag& flag) {
  const std::string name = ":" + zsh_text(flag.value_name) + ":";
  switch (flag.kind) {
    case ValueKind::kNone:
      return "";
    case ValueKind::kWords:
      return name + "(" + join(flag.words, " ") + ")";
    case ValueKind::kFile:
      return name + "_files";
    case ValueKind::kDirectory:
      return name + "_files -/";
    case ValueKind::kOther:
      break;
  }
  return name;
}

std::string zsh_flag(const Flag& flag) {
  std::string lines;
  for (const std::string& name : flag.names) {
    const bool with_equals = flag.kind != ValueKind::kNone && name.starts_with("--");
    lines += " \\\n        " + quoted("*" + name + (with_equals ? "=" : "") + "[" +
                                      zsh_text(in_short(flag.help)) + "]" + zsh_value(flag));
  }
  return lines;
}

std::string zsh_position(const Position& position) {
  const std::string action =
      position.words.empty() ? "_files" : "(" + join(position.words, " ") + ")";
  return " \\\n        " + quoted((position.repeated ? "*" : "") + std::string(":") +
                                  zsh_text(position.name) + ":" + action);
}

const Command* find_command(const std::vector<Command>& commands,
                            const std::vector<std::string>& path) {
  for (const Command& command : commands) {
    if (command.path == path) {
      return &command;
    }
  }
  return nullptr;
}

std::string zsh_function(const std::vector<std::string>& path) {
  return "_longhaul" + std::string(path.empty() ? "" : "_") + join(path, "_");
}

// A command with commands: their names first, then what the chosen one takes.
std::string zsh_choice(const std::vector<Command>& commands, const Command& command) {
  std::string script = "  local line state\n  _arguments -C";
  for (const Flag& flag : command.flags) {
    script += zsh_flag(flag);
  }
  script += " \\\n        '1:command:->command' \\\n        '*::argument:->argument'\n";
  script += "  case $state in\n    command)\n      local -a commands=(\n";
  std::string chosen;
  for (const std::string& name : command.commands) {
    std::vector<std::string> path = command.path;
    path.push_back(name);
    const Command* own = find_command(commands, path);
    script += "        " +
              quoted(name + ":" + (own == nullptr ? "" : zsh_text(in_short(own->help)))) + "\n";
    chosen += "        " + name + ") " + zsh_function(path) + " ;;\n";
  }
  return script +
         "      )\n      _describe command commands ;;\n    argument)\n      case $line[1] in\n" +
         chosen + "      esac ;;\n  esac\n";
}

}  // namespace

std::string zsh_completion(const std::vector<Command>& commands) {
  std::string script = "#compdef longhaul\n";
  for (const Command& command : commands) {
    script += "\n" + zsh_function(command.path) + "() {\n";
    if (!command.commands.empty()) {
      script += zsh_choice(commands, command);
    } else {
      script += "  _arguments";
      for (const Flag& flag : command.flags) {
        script += zsh_flag(flag);
      }
      for (const Position& position : command.positions) {
        script += zsh_position(position);
      }
      script += "\n";
    }
    script += "}\n";
  }
  // Found in $fpath it is called, and evaluated it says whom it serves.
  return script +
         "\nif [ \"$funcstack[1]\" = _longhaul ]; then\n  _longhaul \"$@\"\nelse\n"
         "  compdef _longhaul longhaul\nfi\n";
}

namespace {

std::string fish_text(const std::string& text) {
  return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'";
}

std::string fish_flag(const std::string& where, const Flag& flag) {
  std::string line = where;
  for (const std::string& name : flag.names) {
    if (name.starts_with("--")) {
      line += " -l " + name.substr(2);
    } else {
      line += " -s " + name.substr(1);
    }
  }
  switch (flag.kind) {
    case ValueKind::kNone:
      break;
    case ValueKind::kWords:
      line += " -x -a " + fish_text(join(flag.words, " "));
      break;
    case ValueKind::kFile:
      line += " -r -F";
      break;
    case ValueKind::kDirectory:
      line += " -x -a '(__fish_complete_directories)'";
      break;
    case ValueKind::kOther:
      line += " -x";
      break;
  }
  return line + " -d " + fish_text(in_short(flag.help)) + "\n";
}

constexpr const char* kFishBegin = R"(# fish completion for longhaul

# Whether the words so far begin with these, or are none but these (-e).
function __longhaul_at
    set -l words (commandline -opc)[2..-1]
    set -l exactly 0
    if test "$argv[1]" = -e
        set exactly 1
        set -e argv[1]
    end
    set -l count (count $argv)
    test (count $words) -ge $count; or return 1
    test $exactly -eq 0 -o (count $words) -eq $count; or return 1
    test $count -eq 0; and return 0
    test "$words[1..$count]" = "$argv"
end

)";

}  // namespace

std::string fish_completion(const std::vector<Command>& commands) {
  std::string script = kFishBegin;
  for (const Command& command : commands) {
    const std::string path = path_text(command);
    const std::string at = path.empty() ? "__longhaul_at -e" : "__longhaul_at " + path;
    const std::string where = "complete -c longhaul -n " + fish_text(at);
    const std::string first = "complete -c longhaul -n " +
                              fish_text("__longhaul_at -e" + (path.empty() ? "" : " " + path));
    for (const std::string& name : command.commands) {
      std::vector<std::string> longer = command.path;
      longer.push_back(name);
      const Command* own = find_command(commands, longer);
      script += first + " -f -a " + name + " -d " +
                fish_text(own == nullptr ? "" : in_short(own->help)) + "\n";
    }
    if (command.commands.empty()) {
      if (const std::vector<std::string> words = first_words(command); !words.empty()) {
        script += first + " -f -a " + fish_text(join(words, " ")) + "\n";
      }
    }
    for (const Flag& flag : command.flags) {
      script += fish_flag(where, flag);
    }
  }
  return script;
}

}  // namespace longhaul::app
