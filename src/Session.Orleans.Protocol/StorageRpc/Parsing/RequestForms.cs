using System.Text.Json;

namespace Session.Orleans.Protocol.StorageRpc.Parsing;

/// <summary>What has to be done differently for the two forms of a request. The data were checked before.</summary>
internal static class RequestForms
{
    /// <summary>Finds members of an object.</summary>
    public static void FindMembers(this RequestForm form, ReadOnlySpan<byte> data, ReadOnlySpan<byte[]> names, Span<JsonSlot> slots)
    {
        if (form is RequestForm.Json)
            JsonScan.FindMembers(data, names, slots);
        else
            BencodeScan.FindMembers(data, names, slots);
    }

    /// <summary>Finds the elements of a list, as many as there is room for, and counts them all.</summary>
    public static int FindElements(this RequestForm form, ReadOnlySpan<byte> data, Span<JsonSlot> slots)
    {
        if (form is RequestForm.Bencode)
            return BencodeScan.FindElements(data, slots);
        var reader = JsonScan.Reader(data);
        reader.Read();
        var count = 0;
        while (reader.Read() && reader.TokenType is not JsonTokenType.EndArray)
        {
            // A null is no element to find, but one to count.
            var element = JsonSlot.Read(ref reader);
            if (count < slots.Length)
                slots[count] = element;
            count++;
        }

        return count;
    }
}
