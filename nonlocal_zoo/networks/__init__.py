"""Networks that no host package has, in mmengine's root registry: a module each.

Importing a module registers what is in it, and needs what that imports; configs name the modules
in ``custom_imports``.
"""
