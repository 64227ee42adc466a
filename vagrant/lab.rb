# frozen_string_literal: true

# The lab of lab.yml for the Vagrantfile, laid over provision/config/defaults.yml as provision/config/load.py does it.
# `ruby vagrant/lab.rb FILE` prints it as JSON; a test compares that with what the pydantic models hold.
# What is wrong in a lab.yml is said by the models: every `vagrant up` asks them first.

require "digest"
require "ipaddr"
require "json"
require "yaml"

module Mcastlab
  ROOT = File.expand_path("..", __dir__)

  # What a network takes over from the LAN where it says nothing itself.
  FROM_LAN = { ["master"] => "interface", %w[ipam subnet] => "subnet" }.freeze

  # The data of a lab, and what machines need of it.
  class Lab
    attr_reader :file, :data

    def initialize(file)
      @file = File.expand_path(file)
      defaults = YAML.safe_load(File.read(File.join(ROOT, "provision", "config", "defaults.yml")))
      items = defaults.delete("item_defaults")
      given = File.exist?(@file) ? YAML.safe_load(File.read(@file)) || {} : {}
      @data = completed(over(defaults, given), items)
    end

    def name
      data["name"]
    end

    def hosts
      data["hosts"]
    end

    def lan
      data["lan"]
    end

    def vagrant
      data["vagrant"]
    end

    def dual_stack?
      data["ip_families"].include?("ipv6")
    end

    # ADDRESS/PREFIX of a host on the LAN, IPv4 first, IPv6 only where it is on.
    def addresses(host)
      pairs = [[host["address"], lan["subnet"]]]
      pairs << [host["address6"], lan["subnet6"]] if dual_stack? && host["address6"]
      pairs.map { |address, subnet| "#{address}/#{subnet.split('/').last}" }
    end

    # The LAN's own address: the first of its subnet.
    def lan_address
      IPAddr.new(lan["subnet"]).succ.to_s
    end

    # A locally administered address for a host's interface on the LAN: always the same, and no other lab's.
    def mac(host)
      "02#{Digest::SHA256.hexdigest("#{name} #{host['name']}")[0, 10]}".scan(/../).join(":")
    end

    private

    def completed(whole, items)
      items.each do |key, item|
        whole[key] = whole[key].map { |entry| over(item, entry) }
      end
      kind = whole["hosts"].count { |host| host["role"] != "source" } > 1 ? "whereabouts" : "host-local"
      whole["networks"].each do |network|
        network["ipam"]["type"] ||= kind
        FROM_LAN.each do |path, origin|
          parent = path[0...-1].reduce(network) { |value, key| value[key] }
          parent[path.last] = whole["lan"][origin] unless parent.key?(path.last)
        end
      end
      whole
    end

    # Mappings are merged, anything else is replaced as a whole.
    def over(base, given)
      base.merge(given) { |_key, old, new| old.is_a?(Hash) && new.is_a?(Hash) ? over(old, new) : new }
    end
  end
end

puts JSON.pretty_generate(Mcastlab::Lab.new(ARGV.fetch(0)).data) if $PROGRAM_NAME == __FILE__
