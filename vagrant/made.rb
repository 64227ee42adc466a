# frozen_string_literal: true

# What machines are made from: keys, images, boxes. `python -m provision.cli.vagrantfile prepare` makes it and writes it down.

require "json"
require "fileutils"

module Mcastlab
  # The lab's folder, and the content of machines.json in it.
  class Made
    COMMANDS = %w[up reload].freeze # those that make or start machines

    # Prepared once in a process, however often Vagrant evaluates the Vagrantfile.
    def self.for(lab)
      @made ||= {}
      @made[lab.file] ||= new(lab)
    end

    attr_reader :folder

    def initialize(lab)
      @lab = lab
      @folder = ENV["MCASTLAB_STATE"] || File.join(File.dirname(lab.file), ".mcastlab", lab.name)
      Mcastlab.python("prepare", lab.file) if !ENV["MCASTLAB_STATE"] && COMMANDS.include?(ARGV.first)
      file = File.join(@folder, "machines.json")
      @content = File.exist?(file) ? JSON.parse(File.read(file)) : {}
    end

    # A part by its name; nil before anything is made.
    def [](key)
      @content[key]
    end

    def key
      File.join(@folder, "id_ed25519")
    end

    # Pins the host key of a machine, as known_hosts(5) has it.
    def pin(host, key)
      FileUtils.mkdir_p(File.join(@folder, "host_keys"), mode: 0o700)
      File.write(File.join(@folder, "host_keys", "#{host}.pub"), "#{key.split.first(2).join(' ')}\n")
    end
  end

  # Runs `python -m provision.cli.vagrantfile ARGUMENTS` in the foreground; raises with its exit code.
  def self.python(*arguments)
    python = ENV["MCASTLAB_PYTHON"] || File.join(ROOT, ".venv", "bin", "python")
    unless File.executable?(python)
      raise Failed, message: "mcastlab is not installed in this checkout\n  remedy: make install"
    end
    return if system(python, "-m", "provision.cli.vagrantfile", *arguments)

    code = $CHILD_STATUS.exitstatus
    raise Failed, message: "mcastlab could not #{arguments.first} the lab (exit code #{code}); the reason is above"
  end
end
