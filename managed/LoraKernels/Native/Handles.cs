using LoraKernels.Interop;

namespace LoraKernels.Native;

// What was made with a context stays valid without it (see lorakernels.h), so only a batch has a parent: its table's
// native handle answers "removed adapter" for as long as the batch can be set.

/// <summary>Owns an lk_context, and the workspace that the context was told to use.</summary>
internal sealed unsafe class ContextHandle(lk_context* context, string publicName, object? streamOwner)
    : NativeHandle(publicName, context)
{
    private BufferHandle? _workspace;

    /// <summary>
    /// What keeps a borrowed stream, and through it the CUDA context that everything made here lies in: so also after
    /// this handle is closed.
    /// </summary>
    public object? StreamOwner => streamOwner;

    /// <summary>The workspace that the context was told to use, if that is a buffer.</summary>
    public BufferHandle? Workspace => _workspace;

    /// <summary>Keeps a workspace, which the context knows already, until it is replaced or the context gone.</summary>
    public void KeepWorkspace(BufferHandle? workspace)
    {
        bool added = false;
        workspace?.DangerousAddRef(ref added);
        LetGo(Interlocked.Exchange(ref _workspace, workspace));
    }

    protected override lk_status Destroy(void* pointer) => NativeMethods.lk_context_destroy((lk_context*)pointer);

    protected override void ReleaseDependencies()
    {
        LetGo(Interlocked.Exchange(ref _workspace, null));
        base.ReleaseDependencies();
    }

    private static void LetGo(BufferHandle? workspace)
    {
        if (workspace is null)
            return;
        workspace.DangerousRelease();
        workspace.Dispose();
    }
}

/// <summary>Owns an lk_buffer.</summary>
internal sealed unsafe class BufferHandle(lk_buffer* buffer, string publicName) : NativeHandle(publicName, buffer)
{
    protected override lk_status Destroy(void* pointer) => NativeMethods.lk_buffer_destroy((lk_buffer*)pointer);

    /// <summary>New, uninitialised device memory, and where it lies.</summary>
    public static BufferHandle Create(DeviceStream stream, long bytes, string publicName, out nint data)
    {
        using var context = new Lease(stream.Handle);
        lk_buffer* buffer;
        NativeCall.Check(NativeMethods.lk_buffer_create((lk_context*)context.Pointer, bytes, &buffer));
        var created = new BufferHandle(buffer, publicName);
        try
        {
            void* start;
            NativeCall.Check(NativeMethods.lk_buffer_data(buffer, &start));
            data = (nint)start;
            return created;
        }
        catch
        {
            created.Dispose();
            throw;
        }
    }
}

/// <summary>A view's hold on the object of the host engine that owns its memory.</summary>
internal sealed unsafe class BorrowedHandle(object owner) : NativeHandle(nameof(DeviceTensor), null)
{
    /// <summary>Not collected while this handle is in use, by a slice or a graph as well.</summary>
    public object? Owner { get; private set; } = owner;

    protected override lk_status Destroy(void* pointer) => lk_status.LK_OK;

    protected override void ReleaseDependencies()
    {
        Owner = null;
        base.ReleaseDependencies();
    }
}

/// <summary>Owns a tensor of another engine.</summary>
internal sealed unsafe class ImportedHandle(DLManagedTensor* tensor) : NativeHandle(nameof(DeviceTensor), tensor)
{
    protected override lk_status Destroy(void* pointer)
    {
        var managed = (DLManagedTensor*)pointer;
        if (managed->Deleter != null)
            managed->Deleter(managed);
        return lk_status.LK_OK;
    }
}

/// <summary>A slice's share of the memory that it is cut from.</summary>
internal sealed unsafe class SliceHandle(NativeHandle memory) : NativeHandle(nameof(DeviceTensor), null, memory)
{
    protected override lk_status Destroy(void* pointer) => lk_status.LK_OK;
}

/// <summary>Owns an lk_graph, and keeps what its operations use.</summary>
internal sealed unsafe class GraphHandle(lk_graph* graph, KeptHandles uses) : NativeHandle(nameof(DeviceGraph), graph)
{
    protected override lk_status Destroy(void* pointer) => NativeMethods.lk_graph_destroy((lk_graph*)pointer);

    protected override void ReleaseDependencies()
    {
        uses.Release();
        base.ReleaseDependencies();
    }
}

/// <summary>Owns an lk_weight.</summary>
internal sealed unsafe class WeightHandle(lk_weight* weight) : NativeHandle(nameof(QuantizedWeight), weight)
{
    protected override lk_status Destroy(void* pointer) => NativeMethods.lk_weight_destroy((lk_weight*)pointer);
}

/// <summary>Owns an lk_lora_table.</summary>
internal sealed unsafe class TableHandle(lk_lora_table* table) : NativeHandle(nameof(LoraTable), table)
{
    protected override lk_status Destroy(void* pointer) => NativeMethods.lk_lora_table_destroy((lk_lora_table*)pointer);
}

/// <summary>Owns an lk_lora_batch; its table's handle outlives it.</summary>
internal sealed unsafe class BatchHandle(lk_lora_batch* batch, TableHandle table)
    : NativeHandle(nameof(LoraBatch), batch, table)
{
    protected override lk_status Destroy(void* pointer) => NativeMethods.lk_lora_batch_destroy((lk_lora_batch*)pointer);
}
