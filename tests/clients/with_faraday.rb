# What manageiq-api-client, ManageIQ's client in Ruby, sends: `with_faraday.rb NAME` runs one of these methods.
#
# The client is a gem that Debian does not have. This sends the same requests with the library that it is built on:
# the same paths, headers, parameters and bodies, and looks at what the client takes out of the answers.

require "faraday"
require "json"

URL = ENV.fetch("API_URL")
LOGIN = [ENV.fetch("API_USER"), ENV.fetch("API_PASSWORD")].freeze
CLOUD = {
  "type" => "ManageIQ::Providers::Amazon::CloudManager",
  "provider_region" => "eu-west-1", # where there is nothing but what every account begins with
  "url" => ENV.fetch("CLOUD_URL"),
  "credentials" => {"userid" => "AKIDTEST", "password" => "secret"},
}.freeze

class Refused < StandardError; end

# A request as the client makes one: a new connection each, JSON both ways, the errors in their envelope.
def send_to(path, method = :get, params: {}, body: nil, headers: {})
  connection = Faraday.new(url: URL) do |faraday|
    faraday.request :url_encoded
    faraday.adapter Faraday.default_adapter
    next if headers.key?("X-Auth-Token")
    # Debian 12 has Faraday 1, Debian 13 has Faraday 2.
    faraday.respond_to?(:basic_auth) ? faraday.basic_auth(*LOGIN) : faraday.request(:authorization, :basic, *LOGIN)
  end
  answer = connection.run_request(method, path.start_with?("http") ? path : "#{URL}/api/#{path}".chomp("/"), nil, nil) do |request|
    request.headers.update("Content-Type" => "application/json", "Accept" => "application/json", **headers)
    request.params.merge!(params)
    request.body = body.to_json if body
  end
  told = answer.body.strip.empty? ? {} : JSON.parse(answer.body)
  raise Refused, told.fetch("error").values_at("kind", "message", "klass").join(" ") if answer.status >= 400
  told
end

def resources(collection, **params)
  send_to(collection, params: {expand: "resources", **params}).fetch("resources")
end

def names(collection, **params)
  resources(collection, **params).map { |one| one["name"] }
end

# An action is sent where the resource or the collection says, and as it says.
def act(offering, name, resource = nil, resources: nil)
  offered = offering.fetch("actions").find { |one| one["name"] == name }
  body = {"action" => name, "resource" => resource, "resources" => resources}.compact
  send_to(offered.fetch("href"), offered.fetch("method").to_sym, body: body)
end

def finished(task)
  loop do
    found = send_to("tasks/#{task}")
    return found if found["state"] == "Finished"
    sleep 0.1
  end
end

# Until nothing is read any more.
def quiet
  sleep 0.1 until resources("tasks", filter: ["state!='Finished'"]).empty?
end

def check(held)
  raise "not so, in #{caller(1..1).first}" unless held
end

def refused(words)
  yield
rescue Refused => error
  check(error.message.include?(words))
else
  raise "it was not refused, in #{caller(1..1).first}"
end

def it_reads_the_entry_point
  entry = send_to("", params: {attributes: "authorization"})
  check(entry.values_at("name", "version") == ["API", "1.0.0"])
  check(entry["versions"].all? { |version| version["href"].start_with?(URL) })
  check(entry.dig("identity", "userid") == LOGIN.first)
  check(entry.dig("identity", "miq_groups").is_a?(Array))
  check(entry.dig("authorization", "product_features").key?("inventory.refresh_provider"))
  check(entry.dig("product_info", "name_full") == "Portcullis")
  check(entry["collections"].all? { |one| one.values_at("name", "href", "description").all? })
end

def it_logs_in_by_token_and_as_a_group
  token = send_to("auth")["auth_token"]
  check(send_to("instances", headers: {"X-Auth-Token" => token})["count"] == 2)
  refused("unauthorized Invalid Authentication Token") { send_to("", headers: {"X-Auth-Token" => "wrong"}) }
  refused("Invalid Authorization Group nobody") { send_to("", headers: {"X-MIQ-Group" => "nobody"}) }
end

def it_chains_queries
  check(names("instances", filter: ["name='front'"]) == ["front"])
  check(names("instances", filter: ["name!='front'"]) == ["back"])
  check(names("instances", filter: ["name='front'", "vendor='amazon'"], limit: 1) == ["front"])
  check(names("instances", sort_by: "name", sort_order: "desc") == %w[front back])
  check(names("instances", sort_by: "name,id", sort_order: "asc,desc", offset: 1, limit: 1) == ["front"])
  check(resources("instances", attributes: "name,vendor").all? { |one| one.keys == %w[href id name vendor] })
  check(names("providers", filter: ["last_refresh_error=NULL"]).include?("cloud"))
  check(names("security_groups", filter: ["total_vms=2"]) == ["web"])
  refused("attribute Instance-colour does not exist") { resources("instances", filter: ["colour='red'"]) }
end

def it_finds_one_and_many
  ids = resources("instances").map { |one| one["id"] }
  check(resources("instances", filter: ["id='#{ids.first}'"], limit: 1).first["id"] == ids.first)
  check(resources("instances", filter: ["id=999999"], limit: 1).empty?)
  list = send_to("instances", params: {limit: 1})
  many = act(list, "query", resources: ids.map { |id| {"id" => id} })
  check(many["results"].map { |one| one["id"] } == ids)
  refused("not_found Couldn't find Instance") { send_to("instances/999999") }
end

def it_asks_for_options
  told = send_to("providers", :options)
  check(%w[attributes virtual_attributes relationships data].all? { |name| told.key?(name) })
  check(told.dig("data", "supported_providers").any? { |one| one["type"] == CLOUD["type"] })
end

def it_connects_edits_refreshes_and_removes_providers
  list = send_to("providers", params: {limit: 1})
  made = act(list, "create", CLOUD.merge("name" => "ruby"))["results"].first
  one = send_to(made["href"])
  check(act(one, "edit", {"name" => "ruby 2"})["name"] == "ruby 2")
  check(send_to(made["href"], :put, body: {"name" => "ruby 3"})["name"] == "ruby 3")
  check(send_to(made["href"], :patch, body: [{action: "edit", path: "name", value: "ruby 4"}])["name"] == "ruby 4")
  refreshed = act(one, "refresh")
  check(refreshed.key?("success") && refreshed.key?("message"))
  check(finished(refreshed["task_id"])["status"] == "Ok")
  quiet
  check(act(one, "delete")["success"])
  refused("not_found") { send_to(made["href"]) }
  both = act(list, "create", resources: %w[a b].map { |name| CLOUD.merge("name" => "ruby #{name}") })["results"]
  edited = act(list, "edit", resources: both.map { |one| {"id" => one["id"], "enabled" => false} })["results"]
  check(edited.map { |one| one["enabled"] } == [false, false])
  check(act(list, "refresh", resources: [{"href" => both.first["href"]}])["results"].size == 1)
  quiet
  gone = act(list, "delete", resources: both.map { |one| {"id" => one["id"]} })["results"]
  check(gone.all? { |one| one["success"] })
end

def it_adds_and_removes_groups
  back = resources("instances", filter: ["name='back'"]).first
  path = "instances/#{back["id"]}/security_groups"
  list = send_to(path)
  added = act(list, "add", resources: [{"name" => "mail"}, {"name" => "cache"}])["results"]
  check(added.map { |one| finished(one["task_id"])["status"] } == %w[Ok Ok])
  check(names(path).sort == %w[cache mail web])
  added = act(list, "remove", resources: [{"name" => "mail"}, {"name" => "cache"}])["results"]
  check(added.all? { |one| finished(one["task_id"])["status"] == "Ok" })
  check(names(path) == ["web"])
end

def it_deletes_by_method
  made = act(send_to("providers", params: {limit: 1}), "create", CLOUD.merge("name" => "ruby c"))["results"].first
  quiet
  check(send_to(made["href"], :delete) == {})
  refused("not_found") { send_to(made["href"]) }
end

send(ARGV.fetch(0))
