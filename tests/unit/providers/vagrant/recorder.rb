# frozen_string_literal: true

# Prints what the Vagrantfile's parts ask of Vagrant for each host of a lab, by provider: every setting in its order.
# `ruby recorder.rb LAB PROVIDER MADE`, where MADE is the JSON of machines.json.

require_relative "../../../../vagrant/lab"

%w[made virtualbox libvirt docker].each { |part| require_relative "../../../../vagrant/#{part}" }

# Takes every call down as [path, arguments].
class Recorder
  def initialize(said, path = nil)
    @said = said
    @path = path
  end

  def method_missing(name, *arguments, **options, &block)
    path = [@path, name.to_s.delete_suffix("=")].compact.join(".")
    return block.call(Recorder.new(@said, arguments.first.to_s), Recorder.new(@said)) if block
    return Recorder.new(@said, path) if arguments.empty? && options.empty?

    @said << [path, *arguments, *(options.empty? ? [] : [options])]
  end

  def respond_to_missing?(*) = true
end

lab = Mcastlab::Lab.new(ARGV[0])
made = JSON.parse(ARGV[2]).merge("folder" => "STATE")
def made.key = "STATE/id_ed25519"
provider = { "virtualbox" => Mcastlab::VirtualBox, "libvirt" => Mcastlab::Libvirt, "docker" => Mcastlab::Docker }[ARGV[1]]
result = lab.hosts.to_h do |host|
  said = []
  provider.configure(Recorder.new(said), lab, host, made)
  [host["name"], said.reject { |path, *_| path == "vm.provider" }]
end
# Not every machine has a /lib/modules to mount.
puts JSON.pretty_generate(result).gsub(Mcastlab::ROOT, "ROOT").gsub(%r{,\s+"/lib/modules:/lib/modules:ro"}, "")
