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
      @content = content(File.join(@folder, "machines.json"))
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
      Mcastlab.write(File.join(@folder, "host_keys", "#{host}.pub"), "#{key.split.first(2).join(' ')}\n")
    end

    private

    def content(file)
      return {} unless File.exist?(file) || File.symlink?(file)

      found = JSON.parse(Mcastlab.read(file))
      found.is_a?(Hash) ? found : Mcastlab.damaged(file, "This is no list of what machines are made from")
    rescue JSON::ParserError, EncodingError => e
      Mcastlab.damaged(file, "This is not JSON: #{e.message.lines.first.to_s.scrub[0, 100].strip}")
    end
  end

  MOST = 1 << 20 # octets of a file that mcastlab makes for Vagrant

  # What a file of the lab's folder holds; raises where others have put something else in its place.
  def self.read(file)
    about = File.lstat(file)
    damaged(file, "This is no plain file") unless about.file?
    damaged(file, "The file is longer than #{MOST} octets, as no such file is") if about.size > MOST
    File.read(file, encoding: "UTF-8")
  rescue SystemCallError => e
    damaged(file, "This cannot be read: #{e.message}")
  end

  # Writes a file of the lab's folder anew, never through a link.
  def self.write(file, text)
    FileUtils.rm_f(file)
    File.open(file, File::WRONLY | File::CREAT | File::EXCL, 0o600) { |stream| stream.write(text) }
  rescue SystemCallError => e
    damaged(file, "This cannot be written: #{e.message}")
  end

  def self.damaged(file, problem)
    raise Failed, message: "#{file}: #{problem}\n  remedy: Remove it, then run `vagrant up` once more"
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
