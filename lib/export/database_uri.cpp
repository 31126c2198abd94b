#include "export/database_uri.hpp"

#include <algorithm>
#include <string_view>

#include "base/error.hpp"

namespace longhaul::export_room {
namespace {

[[noreturn]] void ambiguous() {
  throw Error(ExitCode::kUsage, "the address of --to cannot be read in one way only",
              "in user and password write @ / ? : and % as %40 %2F %3F %3A %25, or leave the "
              "password to PGPASSWORD, ~/.pgpass or a service file");
}

bool is_port(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == ','; });
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

void require_percent_signs(std::string_view text) {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    if (at + 2 >= text.size() || !is_hex(text[at + 1]) || !is_hex(text[at + 2])) {
      ambiguous();
    }
  }
}

// "host", "host:5432", "[::1]:5432", "a:1,b:2".
void require_hosts(std::string_view hosts) {
  while (!hosts.empty()) {
    const std::size_t bracket = hosts.starts_with('[') ? hosts.find(']') : 0;
    if (bracket == std::string_view::npos) {
      ambiguous();
    }
    const std::size_t end = std::min(hosts.find(',', bracket), hosts.size());
    const std::string_view host = hosts.substr(bracket, end - bracket);
    const std::size_t colon = host.find(':');
    if (colon != std::string_view::npos && !is_port(host.substr(colon + 1))) {
      ambiguous();
    }
    hosts.remove_prefix(std::min(end + 1, hosts.size()));
  }
}

}  // namespace

void require_database_uri(const std::string& uri) {
  std::string_view rest = uri;
  if (rest.starts_with("postgresql://")) {
    rest.remove_prefix(13);
  } else if (rest.starts_with("postgres://")) {
    rest.remove_prefix(11);
  } else {
    throw Error(ExitCode::kUsage, "--to is no address of a PostgreSQL database",
                "write it as postgresql://USER@HOST/DATABASE");
  }
  const std::string_view whole = rest;
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, end);
  rest.remove_prefix(end);
  const std::string_view path = rest.substr(0, std::min(rest.find('?'), rest.size()));
  const std::string_view query = rest.substr(path.size());
  // libpq takes what stands before the first @ for a user, also where that is behind a ?.
  if (const std::size_t first = whole.find_first_of("@/");
      first > end && first < whole.size() && whole[first] == '@') {
    ambiguous();
  }
  const std::size_t at = authority.find('@');
  if (at != std::string_view::npos) {
    const std::string_view user = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    if (std::ranges::count(user, ':') > 1) {
      ambiguous();
    }
  }
  if (authority.find('@') != std::string_view::npos || path.find('@') != std::string_view::npos ||
      query.find('@') < query.find('=')) {
    ambiguous();
  }
  require_hosts(authority);
  require_percent_signs(uri);
}

}  // namespace longhaul::export_room
