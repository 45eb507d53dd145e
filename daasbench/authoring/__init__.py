"""What a kernel is made of: the public interface of kernel authors."""
