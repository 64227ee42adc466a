"""The labels of all that mcastlab makes: by them it is found again, shown by tools, and removed."""

LAB = "mcastlab.lab"  # containers, volumes and networks of a lab by Podman: its name
FOLDER = "mcastlab.folder"  # a container: its lab's state folder
BUNDLE = "mcastlab.bundle"  # a container: what it was made from
SETTINGS = "mcastlab.settings"  # a container: what of lab.yml it was made with
VAGRANT_LAB = "mcastlab.vagrant"  # as LAB, of Vagrant's containers; vagrant/docker.rb has it too
PLACE = "mcastlab.place"  # a container: its number on the management network
IMAGE = "mcastlab.image"  # a volume: the node image that it belongs to
CACHE = "mcastlab.cache"  # an image: it can be made again from the cache
CHECK = "mcastlab.check"  # pods and namespaces of checks: which
DEMO = "mcastlab.demo"  # pods of the demonstration
